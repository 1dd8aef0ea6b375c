"""What watches the service: Prometheus, Alertmanager and Grafana."""
