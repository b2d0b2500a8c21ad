// Package ops owns the ops port, which is for the platform and for operators:
// probes, build, settings, the log level, profiles and, if app passes them in, metrics.
// It is called by app.
//
// Its promises: /livez checks nothing but the process; many probes at once cost one run
// of a check; answers contain no secret, host or user; and a changed log level reverts
// by itself. The port has no authentication: it must not be reachable from outside.
package ops
