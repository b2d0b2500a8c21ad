package ingest

import (
	"math/rand/v2"
	"time"
)

// GroupID names a group. Its upper bits are the time at which the group began, in
// microseconds since 1970, the lower ones are random: two replicas hardly ever give
// the same, and if they do, one group's timing stands for both.
type GroupID int64

// groupIDBits are random.
const groupIDBits = 11

func newGroupID(began time.Time) GroupID {
	const many = 1 << groupIDBits
	return GroupID(began.UnixMicro()<<groupIDBits | rand.Int64N(many)) //nolint:gosec // it guards nothing
}

// Began is when the group began.
func (id GroupID) Began() time.Time { return time.UnixMicro(int64(id >> groupIDBits)).UTC() }
