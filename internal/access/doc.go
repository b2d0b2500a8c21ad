// Package access owns authentication: applications, their keys, and the scopes of each
// key. A Cache authenticates requests, a Registry administers applications and keys,
// and a Limiter holds every application to its rate limit.
//
// The Cache answers from memory. It polls one number in the store, and reads everything
// when that number has changed. Its answers are never older than Config.MaxAge: when
// the store is unreachable for longer, it accepts no key, because it could not have
// seen that a key was revoked.
//
// Only the SHA-256 of a key is kept. A key's text leaves this package once, when
// the key is created.
package access
