package access

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// follow keeps the directory fresh until ctx ends.
func (d *Directory) follow(ctx context.Context) {
	defer close(d.done)
	ticker := time.NewTicker(d.config.Refresh)
	defer ticker.Stop()
	var health health
	for {
		// After an outage the store may be another one, restored or promoted, whose
		// version says nothing about ours.
		look := d.poll
		if health == healthAway {
			look = d.Refresh
		}
		err := look(ctx)
		if ctx.Err() != nil {
			return
		}
		health = d.note(health, err)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// health is how the store was when it was last asked.
type health uint8

const (
	healthUnknown health = iota
	healthGood
	healthAway
)

// note logs a change of health: the state of every poll would drown it.
func (d *Directory) note(before health, err error) health {
	switch {
	case err != nil:
		if before != healthAway {
			d.deps.Logger.Warn("applications and keys cannot be read; callers are turned away once they are too old",
				zap.Duration("max_age", d.config.MaxAge), zap.Error(err))
		}
		return healthAway
	case before != healthGood:
		v := d.view.Load()
		d.deps.Logger.Info("applications and keys are read",
			zap.Int("applications", v.applications), zap.Int("keys", len(v.keys)), zap.Int64("access_version", v.version))
	}
	return healthGood
}
