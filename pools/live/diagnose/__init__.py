"""What is using my connections: asked of a server once, sorted by application, in words."""
