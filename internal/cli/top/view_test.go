package top_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/cli/top"
)

// update rewrites the golden texts: go test ./internal/cli/top -update.
var update = flag.Bool("update", false, "rewrite the golden texts") //nolint:gochecknoglobals // a flag of the test

// sampleTime is the time of the sample.
func sampleTime() time.Time { return time.Date(2026, 1, 1, 14, 3, 0, 0, time.UTC) }

// fixture reads a sample of testdata.
func fixture(t testing.TB, name string) top.Sample {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name))
	require.NoError(t, err)
	defer file.Close() //nolint:errcheck // it was only read

	s, err := top.Parse(file)
	require.NoError(t, err)
	return s
}

// compareGolden compares a text with a file.
func compareGolden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(text+"\n"), 0o600))
	}

	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), text+"\n", "go test -update rewrites it")
}

// newFilledModel returns a view of the sample's service, with two readings.
func newFilledModel(t testing.TB, colour bool) top.Model {
	t.Helper()
	m := top.NewModel(colour)
	m.Take(top.NewReading("10.0.0.1:8081", sampleTime(), fixture(t, "first.prom")))
	m.Take(top.NewReading("10.0.0.1:8081", sampleTime().Add(2*time.Second), fixture(t, "second.prom")))
	return m
}

func key(text string) tea.KeyPressMsg {
	return tea.KeyPressMsg{Text: text, Code: []rune(text)[0]}
}

func TestScreens(t *testing.T) {
	t.Parallel()
	for _, size := range []tea.WindowSizeMsg{{Width: 80, Height: 24}, {Width: 120, Height: 40}} {
		for i, view := range []string{"overview", "applications", "rejections", "database"} {
			m := newFilledModel(t, false)
			m.Update(size)
			require.False(t, m.Press(key(fmt.Sprint(i+1))))
			compareGolden(t, fmt.Sprintf("%s-%dx%d.txt", view, size.Width, size.Height), m.Screen())
		}
	}
}

// The picture in the documentation is the output of the view.
func TestDocumentedScreen(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "top.md"))
	require.NoError(t, err)
	require.Contains(t, string(document), "```\n"+newFilledModel(t, false).Screen()+"\n```")
}

// The view works in every terminal, however small, and never writes outside it.
func TestScreenKeepsToTheTerminal(t *testing.T) {
	t.Parallel()
	m := newFilledModel(t, true)
	m.Take(top.NewReading("10.0.0.1:8081", sampleTime().Add(4*time.Second), fixture(t, "second.prom")), top.NewFailedReading("10.0.0.2:8081", sampleTime(), errors.New("cannot connect")))
	for _, view := range []string{"1", "2", "3", "4", "?"} {
		m.Press(key(view))
		for _, width := range []int{1, 2, 7, 20, 39, 60, 79, 80, 81, 100, 139} {
			for _, height := range []int{1, 2, 3, 4, 9, 17, 23, 24, 25, 31, 36, 50} {
				m.Update(tea.WindowSizeMsg{Width: width, Height: height})
				lines := strings.Split(m.Screen(), "\n")
				require.LessOrEqual(t, len(lines), height)
				for _, line := range lines {
					require.LessOrEqual(t, lipgloss.Width(line), width, "%q", line)
				}
			}
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	m := newFilledModel(t, false)
	m.Update(tea.WindowSizeMsg{Width: 120, Height: 40})
	heads := []string{"POST /v1/events, now", "event type", "problems answered, by code", "partitions"}
	shows := func(want int) {
		t.Helper()
		for i, head := range heads {
			require.Equal(t, i == want, strings.Contains(m.Screen(), head), "%s\n%s", head, m.Screen())
		}
	}
	shows(0)
	for i := range heads {
		require.False(t, m.Press(key(fmt.Sprint(i+1))))
		shows(i)
	}

	m.Press(tea.KeyPressMsg{Code: tea.KeyTab})
	shows(0)
	m.Press(tea.KeyPressMsg{Code: tea.KeyTab, Mod: tea.ModShift})
	shows(3)
	m.Press(key("?"))
	require.Contains(t, m.Screen(), "pause the display")
	shows(-1)
	m.Press(key("?"))
	shows(3)
	require.False(t, m.Press(key("x")), "any other key does nothing")
	shows(3)
	require.True(t, m.Press(key("q")))
	require.True(t, m.Press(tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}))
}

func TestSort(t *testing.T) {
	t.Parallel()
	m := newFilledModel(t, false)
	m.Press(key("2"))
	order := func(names ...string) {
		t.Helper()
		at := -1
		for _, name := range names {
			next := strings.Index(m.Screen(), "\n"+name)
			require.Greater(t, next, at, "%s in\n%s", name, m.Screen())
			at = next
		}
	}
	order("shop", "checkout", "newsletter", "kiosk")
	m.Press(key("s"))
	order("shop", "newsletter", "checkout", "kiosk")
	m.Press(key("s"))
	order("checkout", "kiosk", "newsletter", "shop")
	m.Press(key("s"))
	order("shop", "checkout", "newsletter", "kiosk")
	m.Press(key("3"))
	order("missing_field", "timestamp_in_future", "invalid_type")
	m.Press(key("s"))
	m.Press(key("s"))
	order("invalid_type", "missing_field", "timestamp_in_future")
}

// Counting continues while the picture is paused: the numbers appear afterwards.
func TestPause(t *testing.T) {
	t.Parallel()
	m := top.NewModel(false)
	first, second := fixture(t, "first.prom"), fixture(t, "second.prom")
	m.Take(top.NewReading("a", sampleTime(), first))
	m.Press(key("3"))
	m.Press(key("p"))
	m.Take(top.NewReading("a", sampleTime().Add(time.Second), second))
	require.Contains(t, m.Screen(), "paused")
	require.Contains(t, m.Screen(), "14:03:00")
	require.NotContains(t, m.Screen(), "missing_field")
	m.Press(key("p"))
	require.NotContains(t, m.Screen(), "paused")
	require.Contains(t, m.Screen(), "14:03:01")
	require.Regexp(t, `(?m)^missing_field  newsletter +5\.0 +5$`, m.Screen())
}

func TestNoColour(t *testing.T) {
	t.Parallel()
	require.Contains(t, newFilledModel(t, true).Screen(), "\x1b[32m")
	require.NotContains(t, newFilledModel(t, false).Screen(), "\x1b")
}

// Names from a service are shown without characters that control a terminal.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	hostile := "\x1b[2J\x1b]0;owned\x07shop\u202e\u200b\u009b31m\r\n\x00" + strings.Repeat("x", 4000)
	exposition := func(n int) top.Sample {
		s, err := top.Parse(strings.NewReader(fmt.Sprintf(
			"# TYPE theeye_ingest_events_total counter\ntheeye_ingest_events_total{application=%q,status=\"stored\"} %d\n"+
				"# TYPE theeye_ingest_refusals_total counter\ntheeye_ingest_refusals_total{application=\"a\",code=\"%s\"} %d\n"+
				"# TYPE theeye_build_info gauge\ntheeye_build_info{version=\"%s\"} 1\n",
			"plain", n, escape(hostile), n, escape(hostile))))
		require.NoError(t, err)
		return s
	}
	m := top.NewModel(false)
	m.Take(top.NewReading("a", sampleTime(), exposition(0)))
	m.Take(top.NewReading("a", sampleTime().Add(time.Second), exposition(3)), top.NewFailedReading("b", sampleTime(), errors.New(hostile)))
	for _, view := range []string{"1", "2", "3", "4"} {
		m.Press(key(view))
		screen := m.Screen()
		require.Contains(t, screen, "[2J]0;ownedshop31mxxx")
		require.NotRegexp(t, "[\x00-\x09\x0b-\x1f\x7f\u0080-\u009f\u200b\u202e]", screen)
		require.LessOrEqual(t, strings.Count(screen, "\n"), 23)
	}
}

// escape renders a label's value in the form of an exposition.
func escape(value string) string {
	return strings.NewReplacer("\\", `\\`, "\n", `\n`, `"`, `\"`).Replace(value)
}
