"""Charts in the browser: Plotly's script, served once, and the component that redraws in place."""
