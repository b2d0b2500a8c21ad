// Package pathindex owns the indexes on paths of payloads: the paths that the schemas
// of event types mark. It has missing indexes built and unwanted ones dropped, in the
// background and without blocking writers. app starts it.
package pathindex
