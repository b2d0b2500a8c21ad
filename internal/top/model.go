package top

import (
	tea "charm.land/bubbletea/v2"
)

// model is the view while it runs.
type model struct {
	state
	tracker  *tracker
	shown    numbers
	collect  func() []reading // reads all replicas once
	wait     func() bool      // waits for the next round; false when the view ends
	paint    palette
	fetching bool
}

// collected brings the readings of a round.
type collected []reading

// due tells that it is time for the next round.
type due struct{}

// The size that is assumed until the terminal has told its own.
const (
	usualWidth  = 80
	usualHeight = 24
)

func newModel(targets []target, collect func() []reading, wait func() bool, paint palette) *model {
	m := &model{tracker: newTracker(), collect: collect, wait: wait, paint: paint}
	m.width, m.height = usualWidth, usualHeight
	m.shown = m.tracker.numbers()
	for _, t := range targets {
		m.shown.Replicas = append(m.shown.Replicas, replica{Name: t.name, Uptime: unknown(), Ready: unknown()})
	}
	return m
}

// Init begins the first round.
func (m *model) Init() tea.Cmd { return m.round() }

// round reads the replicas, unless a round is still under way, and waits for the next.
func (m *model) round() tea.Cmd {
	next := func() tea.Msg {
		if !m.wait() {
			return nil
		}
		return due{}
	}
	if m.fetching {
		return next
	}
	m.fetching = true
	return tea.Batch(func() tea.Msg { return collected(m.collect()) }, next)
}

// Update takes what happened.
func (m *model) Update(message tea.Msg) (tea.Model, tea.Cmd) {
	switch message := message.(type) {
	case tea.WindowSizeMsg:
		if message.Width > 0 && message.Height > 0 {
			m.width, m.height = message.Width, message.Height
		}
	case due:
		return m, m.round()
	case collected:
		m.fetching = false
		m.tracker.take(message)
		if !m.paused {
			m.shown = m.tracker.numbers()
		}
	case tea.KeyPressMsg:
		return m, m.press(message.String())
	}
	return m, nil
}

// press does what a key asks for.
func (m *model) press(key string) tea.Cmd {
	switch key {
	case "q", "ctrl+c":
		return tea.Quit
	case "ctrl+z":
		return tea.Suspend
	case "p":
		m.paused = !m.paused
		if !m.paused && m.tracker.readings != nil {
			m.shown = m.tracker.numbers()
		}
	case "?":
		m.help = !m.help
	case "s":
		m.order[m.view] = (m.order[m.view] + 1) % orders
	case "tab":
		m.show(m.view + 1)
	case "shift+tab":
		m.show(m.view + views - 1)
	case "1", "2", "3", "4":
		m.show(int(key[0] - '1'))
	}
	return nil
}

// show changes the view.
func (m *model) show(view int) {
	m.view, m.help = view%views, false
}

// View draws the picture on a screen of its own.
func (m *model) View() tea.View {
	v := tea.NewView(screen(m.shown, m.state, m.paint))
	v.AltScreen = true
	v.WindowTitle = "theeye top"
	return v
}
