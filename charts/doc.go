// Package charts holds the monitoring of a deployment: a dashboard for Grafana, and rules with
// alerts for Prometheus. It has no code of the program.
//
// Its tests check every query against the metrics that a service exposes at /metrics, and
// compare the alerts, their tests and the runbook. promtool tests that the alerts fire when
// they should (make check-rules).
package charts
