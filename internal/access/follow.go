package access

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// followStore keeps the directory fresh until ctx ends.
func (d *Cache) followStore(ctx context.Context) {
	defer close(d.done)

	ticker := time.NewTicker(d.config.Refresh)
	defer ticker.Stop()

	var health health
	for {
		// After an outage the store may be another one, restored or promoted, whose
		// version says nothing about ours.
		look := d.refreshIfChanged
		if health == healthUnreachable {
			look = d.Refresh
		}

		err := look(ctx)
		if ctx.Err() != nil {
			return
		}

		health = d.logHealthChange(health, err)
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
	healthUnreachable
)

// logHealthChange logs a change of health: the state of every poll would drown it.
func (d *Cache) logHealthChange(before health, err error) health {
	switch {
	case err != nil:
		if before != healthUnreachable {
			d.deps.Logger.Warn("applications and keys cannot be read; callers are turned away once they are too old",
				zap.Duration("max_age", d.config.MaxAge), zap.Error(err))
		}

		return healthUnreachable
	case before != healthGood:
		v := d.view.Load()
		d.deps.Logger.Info("applications and keys are read",
			zap.Int("applications", v.applications), zap.Int("keys", len(v.keys)), zap.Int64("access_version", v.version))
	}

	return healthGood
}
