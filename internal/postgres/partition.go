package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/fault"
)

// month is a month of the Gregorian calendar in UTC, counted from year 0: the
// span of one partition.
type month int

func monthOf(at time.Time) month {
	year, m, _ := at.UTC().Date()
	return month(year*12 + int(m) - 1)
}

func (m month) start() time.Time {
	return time.Date(int(m)/12, time.Month(int(m)%12+1), 1, 0, 0, 0, 0, time.UTC)
}

func (m month) end() time.Time { return (m + 1).start() }

// partition returns the name of a month's partition.
func (m month) partition(table string) string {
	return fmt.Sprintf("%s_p%04d_%02d", table, int(m)/12, int(m)%12+1)
}

// parseMonth reads the month from a partition's name.
func parseMonth(table, partition string) (month, bool) {
	var year, m int
	_, err := fmt.Sscanf(strings.TrimPrefix(partition, table), "_p%04d_%02d", &year, &m)
	found := month(year*12 + m - 1)
	return found, err == nil && found.partition(table) == partition
}

// The partitioned tables.
const (
	eventTable     = "event"
	rejectionTable = "rejection"
)

// partitions caches which partitions exist and creates the missing ones.
type partitions struct {
	db    *DB
	mu    sync.Mutex
	known map[string]bool
}

// listPartitionsSQL reads the catalogue and takes no lock. A partition that is being detached
// accepts no more rows.
const listPartitionsSQL = `
select c.relname, i.inhdetachpending from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = to_regclass($1)`

// lockPartitionsSQL serialises the creation of partitions, over all replicas, until the end of
// the transaction.
const lockPartitionsSQL = `select pg_advisory_xact_lock(hashtext('theeye partitions'))`

// ensureMonths creates the partitions of a table for the given months unless they exist. Known
// partitions cost no round trip to the database.
func (p *partitions) ensureMonths(ctx context.Context, table string, months []month) error {
	p.mu.Lock()
	var missing []month
	for _, m := range months {
		if !p.known[m.partition(table)] {
			missing = append(missing, m)
		}
	}

	p.mu.Unlock()
	for _, m := range missing {
		if err := p.createPartition(ctx, table, m); err != nil {
			return translateError(err, "make partition "+m.partition(table))
		}
	}

	return nil
}

// createPartition creates a table like its parent and attaches it, which does not stop writers
// of other partitions: ATTACH takes SHARE UPDATE EXCLUSIVE on the parent, whereas CREATE TABLE
// ... PARTITION OF would wait for every writer.
//
// For a role that does not own the parent, a function of the schema does the same.
func (p *partitions) createPartition(ctx context.Context, table string, m month) error {
	name := m.partition(table)
	owned, err := owns(ctx, p.db.write, table)
	if err != nil {
		return err
	}

	if owned {
		err = p.attachPartition(ctx, table, m)
	} else {
		_, err = p.db.write.Exec(ctx, makePartitionSQL, table, int(m)/12, int(m)%12+1)
	}

	if sqlState(err) == stateDuplicateTable {
		return p.explainTaken(ctx, table, m, err)
	}

	if err != nil {
		return err
	}

	p.mu.Lock()
	p.known[name] = true
	p.mu.Unlock()
	return nil
}

// takenSQL reads the catalogue and the marks of retention, and takes no lock.
const takenSQL = `
select exists (select from pg_class c where c.oid = to_regclass($1) and not c.relispartition
	and not exists (select from expired_partition m where m.table_oid = c.oid and m.table_name = c.relname and m.database_id = theeye_database_id()))`

// errMonthTaken reports that no partition can be created for a month until a person has attached
// or renamed a table. Other months are not affected.
var errMonthTaken = errors.New("the name of a partition is taken")

// explainTaken says why the name of a partition is taken. If retention is about to free it,
// which is soon, cause is returned. Any other table of that name was detached by a person, and
// only a person can attach it again or rename it.
func (p *partitions) explainTaken(ctx context.Context, table string, m month, cause error) error {
	var foreign bool
	if err := p.db.write.QueryRow(ctx, takenSQL, m.partition(table)).Scan(&foreign); err != nil {
		return err
	}

	if !foreign {
		return cause
	}

	taken := fmt.Errorf("%w: the table %s is not a partition of %s but has the name of one: attach it again, or rename it", errMonthTaken, m.partition(table), table)
	return fault.NewUnavailable(taken, fault.CodeUnavailable, "data of the month "+m.start().Format("2006-01")+
		" cannot be stored until an operator has attached or renamed a detached table; send them again later", time.Minute)
}

// makePartitionSQL calls a function of the schema, which takes the locks of attachPartition.
const makePartitionSQL = `select theeye_make_partition($1, $2, $3)`

// ownsSQL reads the catalogue and takes no lock.
const ownsSQL = `select pg_has_role(c.relowner, 'usage') from pg_class c where c.oid = to_regclass($1)`

// owns reports whether the role may change and drop a table and its partitions. The service's
// role may not unless it is also the role that migrates: functions of the schema then do the
// work. They hold a snapshot throughout and cannot detach concurrently, so an owner does without
// them.
func owns(ctx context.Context, on executor, table string) (owned bool, err error) {
	err = on.QueryRow(ctx, ownsSQL, table).Scan(&owned)
	return owned, err
}

func (p *partitions) attachPartition(ctx context.Context, table string, m month) error {
	name := m.partition(table)
	return pgx.BeginFunc(ctx, p.db.write, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockPartitionsSQL); err != nil {
			return err
		}

		attached, err := listPartitions(ctx, tx, table)
		if _, found := attached[name]; found || err != nil {
			return err
		}

		column := `"timestamp"`
		if table == rejectionTable {
			column = "received_at"
		}

		from := m.start().Format(time.RFC3339)
		to := m.end().Format(time.RFC3339)
		// Names and bounds consist of numbers. The check constraint saves ATTACH its scan.
		for _, statement := range []string{
			fmt.Sprintf(`create table %s (like %s including defaults including constraints, constraint %s_range_check check (%s >= '%s' and %s < '%s'))`,
				name, table, name, column, from, column, to),
			fmt.Sprintf(`alter table %s attach partition %s for values from ('%s') to ('%s')`, table, name, from, to),
			fmt.Sprintf(`alter table %s drop constraint %s_range_check`, name, name),
		} {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}

		return nil
	})
}

// forgetKnown makes the next ensureMonths ask the database again.
func (p *partitions) forgetKnown() {
	p.mu.Lock()
	p.known = map[string]bool{}
	p.mu.Unlock()
}

// listPartitions returns the partitions of a table, and whether each is being detached.
func listPartitions(ctx context.Context, q querier, table string) (map[string]bool, error) {
	rows, err := q.Query(ctx, listPartitionsSQL, table) //nolint:rowserrcheck // ForEachRow returns it
	if err != nil {
		return nil, err
	}

	found := map[string]bool{}
	var name string
	var detaching bool
	_, err = pgx.ForEachRow(rows, []any{&name, &detaching}, func() error {
		found[name] = detaching
		return nil
	})
	return found, err
}
