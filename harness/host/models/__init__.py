"""Models: what their manifests say, how they are generated or fetched, and the one file that every backend reads."""
