package chaos

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/the-eye-events/the-eye/internal/localpg"
)

// pair is the part of a testbed that only a primary with a standby has.
type pair struct {
	// standby follows the primary, whose commits wait for it. It is nil from a failover until
	// there is a new one.
	standby *localpg.Server
	// frozen is true while the standby answers nothing.
	frozen bool
	// lostPrimary is the server that was lost in the last failover, until it is removed.
	lostPrimary *localpg.Server
	// standbysMade counts the standbys, each of which has its own data directory.
	standbysMade int
}

// ensureStandby starts a new standby after a failover, and returns when commits wait for it.
// The services reach it through the proxies of the lost server.
func (s *testbed) ensureStandby(ctx context.Context) error {
	const patience = time.Minute

	p := s.pair
	if p.standby != nil {
		return nil
	}

	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	p.standbysMade++
	standby, err := s.server.StartStandby(ctx, filepath.Join(s.dir, fmt.Sprintf("standby-%d", p.standbysMade)))
	if err != nil {
		return fmt.Errorf("start a standby: %w", err)
	}

	p.standby = standby
	if p.lostPrimary != nil {
		socket := socketPath(standby)
		for _, w := range s.proxies {
			if *w.target.Load() == socketPath(p.lostPrimary) {
				w.target.Store(&socket)
			}
		}

		if err := removeServer(ctx, p.lostPrimary); err != nil {
			return err
		}

		p.lostPrimary = nil
	}

	if err := s.server.AwaitStandby(ctx, true); err != nil {
		return fmt.Errorf("start a standby: %w", err)
	}

	return nil
}

// failOver kills the primary and promotes its standby. The new primary has no standby, so its
// commits wait for none. A frozen standby is killed and restarted first: otherwise its sockets
// would hold data sent while it was frozen, which a machine that hung would not have.
func (s *testbed) failOver(ctx context.Context) error {
	p := s.pair
	if err := s.server.Kill(); err != nil {
		return fmt.Errorf("kill the primary: %w", err)
	}

	if p.frozen {
		p.frozen = false
		if err := errors.Join(p.standby.Kill(), p.standby.Restart(ctx)); err != nil {
			return fmt.Errorf("start the standby again: %w", err)
		}
	}

	if err := p.standby.Promote(ctx); err != nil {
		return fmt.Errorf("promote the standby: %w", err)
	}

	p.lostPrimary = s.server
	s.server = p.standby
	p.standby = nil

	return nil
}

// freezeStandby stops all processes of the standby.
func (p *pair) freezeStandby() error {
	p.frozen = true
	return p.standby.Freeze()
}

// thawStandby lets the standby run again.
func (p *pair) thawStandby(context.Context) error {
	p.frozen = false
	return p.standby.Thaw()
}

// removeServer stops a server and deletes its data.
func removeServer(ctx context.Context, server *localpg.Server) error {
	if err := server.Stop(ctx); err != nil {
		return fmt.Errorf("remove a lost server: %w", err)
	}

	if err := localpg.Remove(ctx, localpg.Options{DataDir: server.DataDir()}); err != nil {
		return fmt.Errorf("remove a lost server: %w", err)
	}

	return nil
}

// close stops the servers beside the primary; a primary waits for its standby when it is
// stopped.
func (p *pair) close(ctx context.Context) error {
	var err error
	for _, server := range []*localpg.Server{p.standby, p.lostPrimary} {
		if server != nil {
			err = errors.Join(err, server.Stop(ctx))
		}
	}

	return err
}
