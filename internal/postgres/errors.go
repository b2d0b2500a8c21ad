package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"github.com/the-eye-events/the-eye/internal/fault"
)

// SQLSTATEs that the code acts on (PostgreSQL documentation, appendix A).
const (
	stateUniqueViolation       = "23505"
	stateCheckViolation        = "23514"
	stateDeadlock              = "40P01"
	stateSerialization         = "40001"
	stateQueryCanceled         = "57014"
	stateLockNotAvailable      = "55P03"
	stateUndefinedTable        = "42P01"
	stateInsufficientPrivilege = "42501"
	stateUndefinedObject       = "42704"
	stateDuplicateObject       = "42710"
	stateDuplicateTable        = "42P07"
	stateNotInPrerequisite     = "55000"
	classDataException         = "22"
	classIntegrityConstraint   = "23"
	classProgramLimit          = "54"
	classRaised                = "P0"
	classTriggeredAction       = "09"
	classTriggeredData         = "27"
	classRoutine               = "2F"
	classExternalRoutine       = "38"
	classExternalInvocation    = "39"
)

// unavailableRetryAfter is the Retry-After for senders while the database is down.
const unavailableRetryAfter = 2 * time.Second

const unreachableDetail = "the database cannot be reached or is overloaded; try again later"

func sqlState(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code
	}

	return ""
}

// violatesConstraint reports whether an error is a violation of the named constraint.
func violatesConstraint(err error, constraint string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.ConstraintName == constraint
}

// isMissingPartition reports whether there was no partition for a row. It is a check violation,
// the only one without the name of a constraint.
func isMissingPartition(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == stateCheckViolation && pg.ConstraintName == ""
}

// isDataError reports whether the database refused the data and not the attempt.
func isDataError(err error) bool {
	state := sqlState(err)
	return strings.HasPrefix(state, classDataException) ||
		strings.HasPrefix(state, classIntegrityConstraint) && isOwnConstraint(err) || strings.HasPrefix(state, classProgramLimit)
}

// isAdditionError reports whether an addition to the database refused the data: a trigger or a
// function that raises, or a constraint that an operator added. One event causes it, and the
// operator has to correct it.
func isAdditionError(err error) bool {
	state := sqlState(err)
	for _, class := range []string{classRaised, classTriggeredAction, classTriggeredData, classRoutine, classExternalRoutine, classExternalInvocation} {
		if strings.HasPrefix(state, class) {
			return true
		}
	}

	return strings.HasPrefix(state, classIntegrityConstraint) && !isOwnConstraint(err)
}

// isOwnConstraint reports whether an error is a violation of a constraint that the service
// created, on a table of its own or on a partition.
func isOwnConstraint(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.ConstraintName == "" {
		return true // a not-null violation has no name
	}

	return slices.Contains(ownConstraints(), pg.ConstraintName) || pg.ConstraintName == pg.TableName+"_pkey" // a partition's
}

// ownConstraints returns the constraints of the tables to which ingest writes.
func ownConstraints() []string {
	return []string{
		"event_pkey", "event_sequence_check", "event_key_pkey", "session_pkey", "session_event_count_check", "session_span_check", "session_erased_check",
		"rejection_pkey", "rejection_status_check", "rejection_outcome_check", "rejection_count_pkey",
	}
}

// isConnectionLost reports whether the connection broke, which a pool notices only when it uses
// a connection that broke while idle. Timeouts do not count.
func isConnectionLost(err error) bool {
	switch sqlState(err) {
	case "57P01", "57P02", "57P03", "08006", "08003", "08001":
		return true
	case "":
	default:
		return false
	}

	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		return false
	}

	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.As(err, &network) || pgconn.SafeToRetry(err)
}

// isContention reports whether transactions conflicted, so that the same transaction can be
// retried.
func isContention(err error) bool {
	state := sqlState(err)
	return state == stateDeadlock || state == stateSerialization
}

// translateError gives an error of the database its meaning; doing names the action that failed.
// Faults pass unchanged. An unknown error stays without a fault, and is answered as internal.
func translateError(err error, doing string) error {
	if err == nil {
		return nil
	}

	if f, ok := fault.As(err); ok {
		return f
	}

	state := sqlState(err)
	if wrong := newPoolerError(err); wrong != nil {
		err = wrong
	}

	err = fmt.Errorf("%s: %w", doing, deduplicateLines(err))
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return fault.Wrap(err, fault.NotFound, fault.CodeNotFound, "there is no such thing")
	case errors.Is(err, context.Canceled):
		return err
	case isConnectError(err):
		return fault.NewUnavailable(err, fault.CodeUnavailable, unreachableDetail, unavailableRetryAfter)
	case state == stateQueryCanceled, state == stateLockNotAvailable:
		return fault.NewUnavailable(err, fault.CodeQueryTooSlow, "the database did not answer in time, or a lock was not free; try again later", unavailableRetryAfter)
	case isAnswerLate(err):
		return fault.NewUnavailable(err, fault.CodeUnavailable, "the database did not answer in time; try again later", unavailableRetryAfter)
	case errors.Is(err, context.DeadlineExceeded):
		return fault.NewUnavailable(err, fault.CodeUnavailable, "no connection to the database was free, or could be opened, in time; try again later", unavailableRetryAfter)
	case errors.Is(err, errUnsafeCommit):
		return fault.NewUnavailable(err, fault.CodeUnavailable, "the database could lose what it is asked to keep, so that nothing is stored until an operator corrects its settings; try again later", unavailableRetryAfter)
	case errors.Is(err, errNotReplicated), isUnreachable(err), isUnavailableState(state), isContention(err):
		return fault.NewUnavailable(err, fault.CodeUnavailable, unreachableDetail, unavailableRetryAfter)
	}

	return err
}

// translateQuestion is translateError for a question that its reader can narrow: one that the
// database began to answer, and did not answer in time.
func translateQuestion(err error, doing string) error {
	state := sqlState(err)
	isSlow := state == stateQueryCanceled || state == stateLockNotAvailable || isAnswerLate(err)
	if _, ok := fault.As(err); ok || !isSlow || isConnectError(err) {
		return translateError(err, doing)
	}

	return fault.NewUnavailable(fmt.Errorf("%s: %w", doing, err), fault.CodeQueryTooSlow,
		"the database did not answer in time; narrow the question or try again later", unavailableRetryAfter)
}

// deduplicateLines keeps each line of an error once. The driver tries an address with TLS and
// without, and reports twice that the server does not answer.
func deduplicateLines(err error) error {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); !ok {
		return err
	}

	var lines []string
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}

	return connectError{err, strings.Join(lines, " ")}
}

// connectError is an error of connecting with a shorter text.
type connectError struct {
	error

	text string
}

func (e connectError) Error() string { return e.text }

func (e connectError) Unwrap() error { return e.error }

// isUnreachable reports whether there was no connection for the statement.
func isUnreachable(err error) bool {
	return isConnectError(err) || isConnectionLost(err) || errors.Is(err, puddle.ErrClosedPool)
}

// isConnectError reports whether an attempt to connect failed, also by its timeout.
func isConnectError(err error) bool {
	_, ok := errors.AsType[*pgconn.ConnectError](err)
	return ok
}

// isAnswerLate reports whether time ran out while a statement had a connection. While it waits
// for one, which may have to be opened, the pool returns the plain error of the context.
func isAnswerLate(err error) bool {
	return pgconn.Timeout(err) && errors.Is(err, context.DeadlineExceeded)
}

// isUnavailableState reports whether the server, not the statement, is the cause: connection
// exceptions, insufficient resources (a full disk, too many connections), operator intervention,
// a standby that became read-only, I/O errors.
func isUnavailableState(state string) bool {
	for _, prefix := range []string{"08", "53", "57P", "58", "25006"} {
		if strings.HasPrefix(state, prefix) {
			return true
		}
	}

	return false
}
