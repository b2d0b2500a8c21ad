// Package probe calls a running service from outside, as clients, proxies and the
// platform do, and returns the facts. The doctor assesses them. The probe sends no key
// and changes nothing.
package probe
