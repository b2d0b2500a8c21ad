// Package census owns statistics of the database as a whole: its size and growth, how
// far ahead its partitions reach, and the age of its events. The app starts a Worker,
// which reads the statistics from its Store once an interval; scrapes are answered from
// the last measurement and never touch the database.
//
// The statistics are only for operators. No other package depends on them, and a failed
// round is only a gap: the numbers stay, and one metric has their age.
package census
