package client_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/the-eye-events/the-eye/client"
)

// abandon closes a buffer at once, whatever it holds, and returns how much that is.
func abandon(t testing.TB, b *client.Buffer) int {
	t.Helper()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	left, err := b.Close(ended)
	check(t, (err == nil) == (left.Count == 0) && len(left.Events) == 0, "%+v %v", left, err)
	return left.Count
}

// filesOf returns the files of a spool apart from its lock, and their size.
func filesOf(t testing.TB, dir string) (names []string, bytes int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	check(t, err == nil, "%v", err)
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && entry.Name() != "lock" {
			names = append(names, entry.Name())
			bytes += info.Size()
		}
	}

	return names, bytes
}

func TestTheNextBufferSendsWhatIsLeft(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "spool")
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.setAlways(refuse(http.StatusServiceUnavailable, "unavailable"))
		var ids []string
		for round := range 3 {
			b := newBuffer(t, dialDirect(t, s), client.BufferConfig{Spool: dir})
			check(t, b.Stats().Recovered == len(ids), "round %d: %+v", round, b.Stats())
			ids = append(ids, enqueue(t, b, manyNames(50)...)...)
			check(t, abandon(t, b) == len(ids), "round %d", round)
		}

		s.setAlways(nil)
		b := newBuffer(t, dialDirect(t, s), client.BufferConfig{Spool: dir, Delay: -1})
		check(t, b.Flush(t.Context()) == nil, "it is sent without another event")
		check(t, slices.Equal(s.storedIDs(), ids), "%d of %d are stored in their order", len(s.storedIDs()), len(ids))
		names, _ := filesOf(t, dir)
		check(t, len(names) == 0, "events with a verdict are not on disk: %v", names)
		closeAll(t, b)
	})
}

// Only what has no verdict is sent again, so that a restart after a long outage is cheap.
func TestWhatHasAVerdictIsNotSentAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newService(nil, nil, nil)
		s.setAlways(refuse(http.StatusServiceUnavailable, "unavailable"))
		b := newBuffer(t, dialDirect(t, s), client.BufferConfig{Spool: dir, BatchEvents: 10, Delay: time.Hour})
		ids := enqueue(t, b, manyNames(95)...)
		synctest.Wait()
		check(t, abandon(t, b) == 65, "three batches have verdicts")

		s.setAlways(nil)
		b = newBuffer(t, dialDirect(t, s), client.BufferConfig{Spool: dir})
		closeAll(t, b)
		stats := b.Stats()
		check(t, stats.Stored == 65 && stats.Duplicates == 0, "%+v", stats)
		check(t, slices.Equal(s.storedIDs(), ids), "%d are stored in their order", len(s.storedIDs()))
	})
}

func TestASpoolHasOneBuffer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := dialDirect(t, newService())
	first := newBuffer(t, c, client.BufferConfig{Spool: dir})
	_, err := client.NewBuffer(c, client.BufferConfig{Spool: dir})
	check(t, errors.Is(err, client.ErrSpoolLocked), "%v", err)
	closeAll(t, first)
	closeAll(t, newBuffer(t, c, client.BufferConfig{Spool: dir}))
}

// A long outage fills the spool to its bound and no further, and an end of it empties it.
func TestTheSpoolIsBoundedOnDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		const most = 1 << 20
		s := newService()
		b := newBuffer(t, dialDirect(t, s), client.BufferConfig{Spool: dir, MaxBytes: most, BatchEvents: 100, Delay: -1})
		sent := 0
		for range 4 {
			s.setAlways(refuse(http.StatusServiceUnavailable, "unavailable"))
			for err := error(nil); err == nil; sent++ {
				err = b.Enqueue(newEvent("good"))
				check(t, err == nil || errors.Is(err, client.ErrFull), "%v", err)
			}

			sent--

			_, bytes := filesOf(t, dir)
			check(t, bytes > most*9/10 && bytes < most+most/4, "%d bytes are on disk", bytes)
			s.setAlways(nil)
			check(t, b.Flush(t.Context()) == nil, "it is sent")
			names, _ := filesOf(t, dir)
			check(t, len(names) == 0, "%v", names)
		}

		closeAll(t, b)
		check(t, len(s.storedIDs()) == sent, "%d of %d are stored", len(s.storedIDs()), sent)
	})
}

// With SpoolSync, callers at the same time share the disk, and each event is sent once.
func TestManyCallersWaitForTheDisk(t *testing.T) {
	t.Parallel()
	s := newService()
	b := newBuffer(t, dialDirect(t, s), client.BufferConfig{Spool: t.TempDir(), SpoolSync: true, MaxBytes: 64 << 10, Delay: -1})
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for range 20 {
				if err := b.Enqueue(newEvent("good")); err != nil {
					t.Error(err)
				}
			}
		})
	}

	callers.Wait()
	closeAll(t, b)
	check(t, len(s.storedIDs()) == 16*20, "%d are stored", len(s.storedIDs()))
}

// Payloads are of people.
func TestTheSpoolIsForItsUserOnly(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "spool")
	b := newBuffer(t, newClient(t, "http://eye.test", client.WithHTTPClient(&http.Client{Transport: waiting{}})), client.BufferConfig{Spool: dir})
	enqueue(t, b, "good")
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		check(t, err == nil, "%v", err)
		info, err := entry.Info()
		check(t, err == nil && info.Mode().Perm()&0o077 == 0, "%s: %v", path, info.Mode())
		return nil
	})
	check(t, err == nil, "%v", err)
	abandon(t, b)
}

// What is wrong with one file is reported, and keeps neither others nor new events from being sent.
func TestADamagedSpoolIsTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newService()
	s.setAlways(refuse(http.StatusServiceUnavailable, "unavailable"))
	var ids []string
	for range 3 {
		b := newBuffer(t, dialDirect(t, s), client.BufferConfig{Spool: dir, Delay: time.Hour})
		ids = append(ids, enqueue(t, b, manyNames(10)...)...)
		abandon(t, b)
	}

	files, err := filepath.Glob(filepath.Join(dir, "*.events"))
	check(t, err == nil && len(files) == 3, "%v", files)
	text, err := os.ReadFile(files[1])
	check(t, err == nil, "%v", err)
	text[len(text)-10] ^= 1 // in the last of its events
	check(t, os.WriteFile(files[1], text, 0o600) == nil, "it is written")
	foreign := filepath.Join(dir, "1.events")
	check(t, os.WriteFile(foreign, []byte("my notes, which must not be deleted"), 0o600) == nil, "it is written")

	s.setAlways(nil)
	var told []error
	b := newBuffer(t, dialDirect(t, s), client.BufferConfig{Spool: dir, OnError: func(err error) { told = append(told, err) }})
	enqueue(t, b, "good")
	closeAll(t, b)
	check(t, len(told) == 2 && errors.Is(told[0], client.ErrSpoolDamaged) && errors.Is(told[1], client.ErrSpoolDamaged), "%v", told)
	stored := s.storedIDs()
	check(t, slices.Equal(stored[:29], slices.Delete(ids, 19, 20)) && len(stored) == 30, "%d are stored", len(stored))
	check(t, exists(foreign), "a file that is not a segment was deleted")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
