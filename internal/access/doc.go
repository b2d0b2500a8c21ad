// Package access owns who may call: applications, their keys, and what each key
// may do. Requests are authenticated by a Cache, administration goes through a
// Registry, and a Limiter holds every application to its rate.
//
// The Cache answers from memory. It reads one number from the store again and again,
// and everything when that number has changed. Its answers are never older than
// Config.MaxAge: when the store is down for longer, it accepts no key, since the key
// may have been revoked meanwhile.
//
// Only the SHA-256 of a key is kept. A key's text leaves this package once, when
// the key is created.
package access
