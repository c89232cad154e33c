"""Workers in containers, through the Docker API."""
