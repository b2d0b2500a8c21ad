package client

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
)

// Segments are ended, read, and deleted in their order, also across processes.
func TestSegmentsAreReadInTheirOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	limits := bounds{events: 1000, bytes: 1600} // segments of 200 bytes
	var want, got []string
	for process := range 4 {
		s, _ := openTestSpool(t, dir, limits)
		for i := range 20 {
			want = append(want, fmt.Sprintf("event %d of process %d", i, process))
			pushAll(t, s, want[len(want)-1])
		}

		if len(s.segments) < 3 {
			t.Fatal("there are too few segments for this test")
		}

		for range 5 {
			batch, err := s.peek(3, 1<<20)
			if err != nil {
				t.Fatal(err)
			}

			for _, event := range batch {
				got = append(got, string(event))
			}

			if err := s.drop(len(batch)); err != nil {
				t.Fatal(err)
			}
		}

		if process == 3 {
			got = append(got, drain(t, s)...)
		}

		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	}

	if !slices.Equal(got, want) {
		t.Fatalf("%d of %d events: %q", len(got), len(want), got)
	}
}

// A disk that fails refuses events and does not disturb those that it has.
func TestADiskThatFailsRefusesEvents(t *testing.T) {
	t.Parallel()
	s, _ := openTestSpool(t, t.TempDir(), generous())
	pushAll(t, s, "a", "b")
	whole := s.active.file
	broken, err := os.Open(whole.Name()) // which cannot be written
	if err != nil {
		t.Fatal(err)
	}

	s.active.file = broken
	if _, _, err := s.push([]byte("c")); err == nil || errors.Is(err, ErrFull) {
		t.Fatal(err)
	}

	s.active.file = whole
	pushAll(t, s, "d")
	if got := drain(t, s); !slices.Equal(got, []string{"a", "b", "d"}) {
		t.Fatal(got)
	}

	if err := errors.Join(broken.Close(), s.close()); err != nil {
		t.Fatal(err)
	}
}

// A disk that could not write is not asked again: the second answer would be good, and wrong.
func TestAFailedSyncIsNotForgotten(t *testing.T) {
	t.Parallel()
	s, err := openSpool(t.TempDir(), generous(), true, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}

	if _, _, err := s.push([]byte("a")); err != nil {
		t.Fatal(err)
	}

	whole := s.active.file
	s.written++ // by another caller, who waits for the disk too
	s.active.file = breakFile(t)
	for range 2 {
		if err := s.syncTo(2); !errors.Is(err, errNotSynced) {
			t.Fatal(err)
		}
	}

	s.segments[0].file = whole
	if _, _, err := s.push([]byte("b")); err != nil {
		t.Fatal("a new segment is begun", err)
	}

	if got := drain(t, s); !slices.Equal(got, []string{"a", "b"}) {
		t.Fatal(got)
	}

	if err := s.close(); err != nil {
		t.Fatal(err)
	}
}

// A segment whose name a power cut takes away is lost with all of its events.
func TestTheDiskHasTheNameOfEachSegment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := openSpool(dir, generous(), true, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}

	s.segmentOf = 1
	named := 0
	s.syncDir = func(synced string) error {
		if synced == dir {
			named++
		}

		return nil
	}
	pushAll(t, s, "a", "b", "c")
	if named != 3 {
		t.Fatalf("of 3 segments, the disk has the names of %d", named)
	}

	s.syncDir = func(string) error { return errors.New("the disk failed") }
	if _, _, err := s.push([]byte("d")); err == nil {
		t.Fatal("an event was taken in a segment without a name")
	}

	if got := drain(t, s); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Fatal(got)
	}

	if err := s.close(); err != nil {
		t.Fatal(err)
	}
}

// breakFile returns a file that has no fsync, which is what a disk that fails looks like.
func breakFile(t *testing.T) *os.File {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = errors.Join(read.Close(), write.Close()) })
	return write
}

// The disk fails as a segment is ended. A caller that still waits for an event in it gets an
// error, although a later wait, for another file, went well.
func TestASyncThatFailsBetweenSegmentsIsTold(t *testing.T) {
	t.Parallel()
	s, err := openSpool(t.TempDir(), generous(), true, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}

	pushAll(t, s, "first")
	waiting := s.written + 1 // another caller's, who has not come to wait for the disk yet
	if err := s.write([]byte("waiting")); err != nil {
		t.Fatal(err)
	}

	whole := s.active.file
	s.active.file = breakFile(t)
	s.segmentOf = 1
	if _, _, err := s.push([]byte("refused")); err == nil {
		t.Fatal("an event was taken although the disk failed")
	}

	s.segments[0].file = whole
	pushAll(t, s, "later")
	if err := s.syncTo(waiting); !errors.Is(err, errNotSynced) {
		t.Fatal(err)
	}

	if got := drain(t, s); !slices.Equal(got, []string{"first", "waiting", "later"}) {
		t.Fatal(got)
	}

	if err := s.close(); err != nil {
		t.Fatal(err)
	}
}

// What becomes unreadable while the process runs is given up, reported, and holds nothing up.
func TestEventsThatVanishAreGivenUp(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(path string) error{
		"cut off": func(path string) error { return os.Truncate(path, int64(len(segmentHead))+frameHead+3) },
		"deleted": os.Remove,
		"changed": func(path string) error {
			return os.WriteFile(path, append([]byte(segmentHead), bytes.Repeat([]byte{1}, 200)...), fileMode)
		},
	} {
		s, told := openTestSpool(t, t.TempDir(), generous())
		for _, event := range []string{"oldest", "second", "third"} {
			pushAll(t, s, event)
			s.mu.Lock()
			s.endActive()
			s.mu.Unlock()
		}

		if err := spoil(s.segments[1].path + "." + eventsKind); err != nil {
			t.Fatal(err)
		}

		if got := drain(t, s); !slices.Equal(got, []string{"oldest", "third"}) {
			t.Fatalf("%s: %q", name, got)
		}

		if count, size, _ := s.size(); count != 0 || size != 0 || len(*told) != 1 || !errors.Is((*told)[0], ErrSpoolDamaged) {
			t.Fatal(name, count, size, *told)
		}

		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	}
}
