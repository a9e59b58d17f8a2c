package train

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// LocalRanks are n ranks of one process, for tests and for trying things out: each belongs to
// a goroutine with a model and a trainer of its own. Close of one ends what the others
// wait for from it.
func LocalRanks(n int) []*LocalRank {
	n = max(0, n)
	post := &post{over: make([]chan struct{}, n), boxes: make([]chan []float32, n*n)}
	for i := range post.boxes {
		post.boxes[i] = make(chan []float32, 16)
	}
	for i := range post.over {
		post.over[i] = make(chan struct{})
	}
	list := make([]*LocalRank, n)
	for i := range list {
		list[i] = &LocalRank{rank: i, size: n, post: post}
	}
	return list
}

// LocalRank is one of [LocalRanks].
type LocalRank struct {
	rank, size int
	post       *post
	once       sync.Once
}

var _ Ranks = (*LocalRank)(nil)

// post is where messages lie.
type post struct {
	over  []chan struct{}  // closed when a rank has ended
	boxes []chan []float32 // from × to
}

// Rank implements [Ranks].
func (r *LocalRank) Rank() int {
	if r == nil {
		return 0
	}
	return r.rank
}

// Size implements [Ranks].
func (r *LocalRank) Size() int {
	if r == nil {
		return 0
	}
	return r.size
}

// Close takes the rank away, as the end of its process would. What others want of it then is
// an error.
func (r *LocalRank) Close() error {
	if r == nil || r.post == nil {
		return nil
	}
	r.once.Do(func() { close(r.post.over[r.rank]) })
	return nil
}

// Exchange implements [Ranks].
func (r *LocalRank) Exchange(ctx context.Context, send, receive []Message) error {
	if r == nil || r.post == nil {
		return errors.New("the LocalRank is none of LocalRanks")
	}
	for _, m := range slices.Concat(send, receive) {
		if m.Rank < 0 || m.Rank >= r.size || m.Rank == r.rank {
			return fmt.Errorf("a message of rank %d and rank %d of %d", r.rank, m.Rank, r.size)
		}
	}
	if ctx == nil {
		ctx = context.Background()
	}
	sent := make(chan error, 1)
	go func() { sent <- r.send(ctx, send) }()
	err := r.receive(ctx, receive)
	return errors.Join(err, <-sent)
}

func (r *LocalRank) send(ctx context.Context, list []Message) error {
	for _, m := range list {
		select {
		case r.post.boxes[r.rank*r.size+m.Rank] <- slices.Clone(m.Data):
		case <-r.post.over[m.Rank]:
			return fmt.Errorf("rank %d has ended", m.Rank)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (r *LocalRank) receive(ctx context.Context, list []Message) error {
	for _, m := range list {
		box := r.post.boxes[m.Rank*r.size+r.rank]
		var data []float32
		select {
		case data = <-box:
		case <-ctx.Done():
			return ctx.Err()
		case <-r.post.over[m.Rank]:
			select {
			case data = <-box: // sent before
			default:
				return fmt.Errorf("rank %d has ended", m.Rank)
			}
		}
		if len(data) != len(m.Data) {
			return fmt.Errorf("rank %d sent %d numbers, want %d", m.Rank, len(data), len(m.Data))
		}
		copy(m.Data, data)
	}
	return nil
}
