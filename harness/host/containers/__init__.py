"""Workers in containers: pins, images, the engine's API, volumes, what may come out, and what a crash left behind."""
