"""What sends requests to slots: the port, Nginx."""
