// Package erasure owns erasures: of whole sessions, and of all events and rejections
// whose payload holds certain values. An erasure is a job in the store. Once it has
// begun, it is finished by any replica that finds it unfinished, after crashes and
// without the client that requested it. The package defines the erasures, the raw texts
// of rejections that they cover, and the workers; the store runs the steps.
package erasure
