// Package probe calls a running service from outside, as clients, proxies and the
// platform do, and reports what it saw. It judges nothing: that is doctor's. It sends
// no key and changes nothing.
package probe
