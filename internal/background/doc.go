// Package background runs the work that a service does besides its requests. A Worker does
// a job at an interval. A Follower is a worker that keeps a copy of a store's content in
// memory. The package knows nothing of the jobs and of the contents; the use cases build
// their workers and caches on it.
package background
