// Package browsersdk owns the script that browsers load from the service. It is built from
// clients/js by make sdk, and embedded, so that a service and its script are of one version.
package browsersdk
