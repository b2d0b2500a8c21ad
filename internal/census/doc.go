// Package census owns what is known of the database as a whole: how large it is and
// how fast it grows, for how long its partitions reach, and from when its events
// are. The app starts a Taker, which asks its Store once an interval; scrapes are
// answered from the last answer and never touch the database.
//
// It is for operators alone. Nothing else depends on it, and a round that fails is
// no more than a gap: the numbers stay, and one of them tells how old they are.
package census
