// Package ops owns the second port, which is for the platform and for operators:
// probes, build, settings, the level of the log, profiles and, where app hands them
// in, metrics. It is called by app.
//
// Its promises: /livez looks at nothing but the process; many probes at once cost one
// run of a check; what is answered names no secret, host or user; and what is changed
// here is changed back by itself. The port has no authentication: it must not be
// reachable from outside.
package ops
