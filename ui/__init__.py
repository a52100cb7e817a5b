"""The page: everything a browser sees. The only room that knows streamlit."""
