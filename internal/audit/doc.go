// Package audit owns the record of the changes that administrators make: actor, time,
// action, target. An entry is written in the transaction of its change, so that neither
// exists without the other. The context carries the actor.
package audit
