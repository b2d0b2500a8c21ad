// Package pathindex owns which paths of payloads have an index: those that the schemas
// of event types mark. It has missing ones built and unwanted ones dropped, none of it
// on a request's way and none of it in the way of writers. app starts it.
package pathindex
