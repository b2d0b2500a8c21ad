// Package background runs the work that a service does besides its requests. A Worker does
// a job at an interval; the package knows nothing of the job. The use cases build their
// workers on it.
package background
