// Package charts is the room of what a deployment is watched with: a dashboard for
// Grafana, and rules with alerts for Prometheus. It holds no code of the program.
//
// Its tests hold every query against what a service really exposes at /metrics, and
// the alerts, their tests and the runbook against one another. That the alerts fire
// when they should is tested by promtool (make check-rules).
package charts
