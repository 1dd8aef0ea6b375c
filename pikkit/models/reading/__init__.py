"""Foreign model files: read under guard, checked, and written as what workers load. Never imported by a worker."""
