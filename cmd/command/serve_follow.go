package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/photos"
	"github.com/goclip/goclip/serve"
)

// library is what is shown of an index: the state of its files at one time.
type library struct {
	path   string
	state  string
	index  *index.Index
	thumbs *photos.Thumbs
}

// open reads the files as they are. The model, where it is not nil, has to be the index's.
func (l *library) open(m *encoder.Model) (err error) {
	if l.state, err = filesState(l.path); err != nil { // what changes while it is read is read again
		return err
	}
	if l.index, err = photos.Open(l.path, m); err != nil {
		return err
	}
	l.thumbs, err = photos.OpenThumbs(l.path)
	return err
}

func (l *library) Close() (err error) {
	if l.index != nil {
		err = l.index.Close()
	}
	if l.thumbs != nil {
		err = errors.Join(err, l.thumbs.Close())
	}
	return err
}

// filesState is the size and time of each file of a library.
func filesState(path string) (state string, err error) {
	for _, file := range []string{path, photos.JournalPath(path), photos.ThumbsPath(path)} {
		info, err := os.Stat(file)
		switch {
		case err == nil:
			state += fmt.Sprintln(info.Size(), info.ModTime().UnixNano())
		case !errors.Is(err, fs.ErrNotExist) || file == path:
			return "", err
		default:
			state += "none\n"
		}
	}
	return state, nil
}

// follow has a server show what another process makes of the index, until ctx ends. What
// cannot be shown, such as an index of another model, is told once, and looked at again when
// it has changed. Reading takes a twentieth of the time at most.
func (l *library) follow(ctx context.Context, server *serve.Server, log *slog.Logger) {
	refused := ""
	for every := 2 * time.Second; pause(ctx, every); {
		state, err := filesState(l.path)
		if err != nil || state == l.state || state == refused {
			continue // one that is away for a moment is being replaced
		}
		began := time.Now()
		next := library{path: l.path}
		if err = next.open(nil); err == nil {
			err = server.Show(next.index, next.thumbs)
		}
		every = max(2*time.Second, 20*time.Since(began))
		if err != nil {
			refused = state
			log.Warn("index not reloaded", "error", errors.Join(err, next.Close()).Error())
			continue
		}
		before := *l
		*l = next
		log.Info("index reloaded", "entries", l.index.Len(), "seconds", time.Since(began).Seconds())
		if err := before.Close(); err != nil {
			log.Warn("index", "error", err.Error())
		}
	}
}
