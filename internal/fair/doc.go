// Package fair shares something scarce out among callers: database connections among the
// keys that ask questions, processors among the applications that send. A caller that
// asks for more than its share waits, and keeps nobody else from theirs. The package knows
// nothing of what it shares out and imports nothing of ours.
package fair
