# The playground with its built-in PostgreSQL, as a user without rights.
#
#   docker build -t poolwise .
#   docker run --rm --init -p 127.0.0.1:8501:8501 poolwise
#
# Answers to the host names localhost and 127.0.0.1; for others add
#   -e STREAMLIT_SERVER_ALLOWED_HOSTS="localhost 127.0.0.1 pools.example.org"
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

# PostgreSQL's initdb refuses root and wants its user to have a name.
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin poolwise

WORKDIR /app

COPY requirements.txt ./
RUN pip install --require-hashes --only-binary :all: -r requirements.txt

COPY LICENSE app.py ./
COPY .streamlit .streamlit
COPY pools pools
COPY sim sim
COPY ui ui
COPY docs/accuracy.md docs/accuracy.md
RUN python -m compileall -q .

USER 10001

# Inside the container every address is right: only the published port leads in.
ENV STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_PORT=8501 \
    STREAMLIT_SERVER_ALLOWED_HOSTS="localhost 127.0.0.1"

EXPOSE 8501
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]

CMD ["python", "-m", "streamlit", "run", "app.py"]
