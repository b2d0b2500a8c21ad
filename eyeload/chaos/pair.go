package chaos

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/the-eye-events/the-eye/internal/localpg"
)

// pair is what a site with two servers has beside the one that is written to.
type pair struct {
	// standby follows the server that is written to, whose commits wait for it. It is nil
	// from a failover until there is a new one.
	standby *localpg.Server
	// frozen tells that the standby answers nothing.
	frozen bool
	// lostPrimary is the server that was lost in the last failover, until it is taken away.
	lostPrimary *localpg.Server
	// standbysMade counts the standbys, each of which has a data directory of its own.
	standbysMade int
}

// ensureStandby makes a new standby where the last one was promoted, and returns when
// commits wait for it. The services find it by the wires of the server that was lost.
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

// failOver kills the server that is written to and promotes its standby, which is nobody's
// primary: what it commits waits for nobody. A standby that was frozen is killed and
// started again before, or it would find in its socket what it was sent while it was
// frozen, and which no machine has that hung.
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

	s.server, p.standby, p.lostPrimary = p.standby, nil, s.server
	return nil
}

// freezeStandby has the standby answer nothing.
func (p *pair) freezeStandby() error {
	p.frozen = true
	return p.standby.Freeze()
}

// thawStandby lets it go on.
func (p *pair) thawStandby(context.Context) error {
	p.frozen = false
	return p.standby.Thaw()
}

// removeServer takes a server away with all that it had.
func removeServer(ctx context.Context, server *localpg.Server) error {
	if err := server.Stop(ctx); err != nil {
		return fmt.Errorf("take a lost server away: %w", err)
	}

	if err := localpg.Remove(ctx, localpg.Options{DataDir: server.DataDir()}); err != nil {
		return fmt.Errorf("take a lost server away: %w", err)
	}

	return nil
}

// close stops what is not written to; a primary waits for its standby when it is stopped.
func (p *pair) close(ctx context.Context) error {
	var err error
	for _, server := range []*localpg.Server{p.standby, p.lostPrimary} {
		if server != nil {
			err = errors.Join(err, server.Stop(ctx))
		}
	}

	return err
}
