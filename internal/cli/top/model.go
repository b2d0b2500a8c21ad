package top

import (
	tea "charm.land/bubbletea/v2"
)

// model is the running view.
type model struct {
	state
	tracker  *tracker
	shown    numbers
	collect  func() []reading // reads all replicas once
	wait     func() bool      // waits for the next round; false when the view ends
	paint    palette
	fetching bool
}

// roundDone holds the readings of a finished round.
type roundDone []reading

// roundDue means that it is time for the next round.
type roundDue struct{}

// The size that is assumed until the terminal reports its own.
const (
	usualWidth  = 80
	usualHeight = 24
)

func newModel(targets []target, collect func() []reading, wait func() bool, paint palette) *model {
	m := &model{tracker: newTracker(), collect: collect, wait: wait, paint: paint}
	m.width = usualWidth
	m.height = usualHeight
	m.shown = m.tracker.computeNumbers()
	for _, t := range targets {
		m.shown.Replicas = append(m.shown.Replicas, replica{Name: t.name, Uptime: unknown(), Ready: unknown()})
	}

	return m
}

// Init begins the first round.
func (m *model) Init() tea.Cmd { return m.startRound() }

// startRound reads the replicas, unless a round is still in progress, and waits for the next.
func (m *model) startRound() tea.Cmd {
	next := func() tea.Msg {
		if !m.wait() {
			return nil
		}

		return roundDue{}
	}
	if m.fetching {
		return next
	}

	m.fetching = true
	return tea.Batch(func() tea.Msg { return roundDone(m.collect()) }, next)
}

// Update handles a message.
func (m *model) Update(message tea.Msg) (tea.Model, tea.Cmd) {
	switch message := message.(type) {
	case tea.WindowSizeMsg:
		if message.Width > 0 && message.Height > 0 {
			m.width = message.Width
			m.height = message.Height
		}
	case roundDue:
		return m, m.startRound()
	case roundDone:
		m.fetching = false
		m.tracker.addRound(message)
		if !m.paused {
			m.shown = m.tracker.computeNumbers()
		}
	case tea.KeyPressMsg:
		return m, m.handleKey(message.String())
	}

	return m, nil
}

// handleKey handles a key.
func (m *model) handleKey(key string) tea.Cmd {
	switch key {
	case "q", "ctrl+c":
		return tea.Quit
	case "ctrl+z":
		return tea.Suspend
	case "p":
		m.paused = !m.paused
		if !m.paused && m.tracker.readings != nil {
			m.shown = m.tracker.computeNumbers()
		}
	case "?":
		m.help = !m.help
	case "s":
		m.order[m.view] = (m.order[m.view] + 1) % orders
	case "tab":
		m.switchView(m.view + 1)
	case "shift+tab":
		m.switchView(m.view + viewCount - 1)
	case "1", "2", "3", "4":
		m.switchView(int(key[0] - '1'))
	}

	return nil
}

// switchView changes the view.
func (m *model) switchView(view int) {
	m.view = view % viewCount
	m.help = false
}

// View draws the view on the alternate screen.
func (m *model) View() tea.View {
	v := tea.NewView(renderScreen(m.shown, m.state, m.paint))
	v.AltScreen = true
	v.WindowTitle = "theeye top"
	return v
}
