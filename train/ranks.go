package train

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
)

// Ranks are the processes, on one machine or many, that train one model together; each holds
// one. Module contrib/mpi has them of an MPI launcher, [LocalRanks] are goroutines.
//
// A run has the same bits on any number of ranks: see [Config].Ranks.
type Ranks interface {
	Rank() int // of this process, from 0
	Size() int // how many there are
	// Exchange sends and receives messages, all at once, and returns when all have come and
	// gone. What one rank sends to another arrives in the order of its calls and their lists,
	// and each finds a buffer of its length there. Calls come one at a time. An error means
	// that the ranks can no longer work together.
	Exchange(ctx context.Context, send, receive []Message) error
}

// Message is numbers for another rank, or from it.
type Message struct {
	Rank int // the other one
	Data []float32
}

// world is the ranks as training uses them; nil Ranks are this process alone.
type world struct{ ranks Ranks }

func (w world) rank() int {
	if w.ranks == nil {
		return 0
	}
	return w.ranks.Rank()
}

func (w world) size() int {
	if w.ranks == nil {
		return 1
	}
	return w.ranks.Size()
}

// run is what of n a rank has, in rank order.
func (w world) run(n, rank int) span { return span{n * rank / w.size(), n * (rank + 1) / w.size()} }

// exchange is Ranks.Exchange, which an interruption does not end: all ranks stop together
// where they agree on it.
func (w world) exchange(ctx context.Context, send, receive []Message) error {
	if w.size() == 1 {
		return nil
	}
	if err := w.ranks.Exchange(context.WithoutCancel(ctx), send, receive); err != nil {
		return &agreed{fmt.Errorf("train: rank %d of %d: %w", w.rank(), w.size(), err)} // there is nobody left to tell
	}
	return nil
}

// gather fills data on all ranks, where each has the part that begins at its cut.
func (w world) gather(ctx context.Context, data []float32, cuts []int) error {
	part := func(rank int) []float32 { return data[cuts[rank]:cuts[rank+1]] }
	var send, receive []Message
	for r := range w.size() {
		if r == w.rank() {
			continue
		}
		if mine := part(w.rank()); len(mine) > 0 {
			send = append(send, Message{r, mine})
		}
		if theirs := part(r); len(theirs) > 0 {
			receive = append(receive, Message{r, theirs})
		}
	}
	return w.exchange(ctx, send, receive)
}

// broadcast gives all ranks what one has: by parts, so that it is not the only one that sends.
func (w world) broadcast(ctx context.Context, from int, data []float32) error {
	cuts := make([]int, w.size()+1)
	var send, receive []Message
	for r := range w.size() {
		part := w.run(len(data), r)
		cuts[r+1] = part.to
		switch {
		case part.from == part.to || r == from:
		case w.rank() == from:
			send = append(send, Message{r, data[part.from:part.to]})
		case w.rank() == r:
			receive = append(receive, Message{from, data[part.from:part.to]})
		}
	}
	if err := w.exchange(ctx, send, receive); err != nil {
		return err
	}
	return w.gather(ctx, data, cuts)
}

// words are bytes as numbers, which every machine moves as they are.
func words(text []byte) []float32 {
	list := make([]float32, len(text))
	for i, c := range text {
		list[i] = float32(c)
	}
	return list
}

func unworded(list []float32) []byte {
	text := make([]byte, len(list))
	for i, v := range list {
		text[i] = byte(v)
	}
	return text
}

// halves are 64 bits as four numbers.
func halves(to []float32, v uint64) {
	for i := range 4 {
		to[i] = float32(v >> (16 * i) & 0xffff)
	}
}

func whole64(from []float32) (v uint64) {
	for i := range 4 {
		v |= uint64(from[i]) << (16 * i)
	}
	return v
}

// agreed is an error that all ranks know.
type agreed struct{ error }

func (a *agreed) Unwrap() error { return a.error }

// Agree waits for all ranks to come here, and ends them together: where one of them has an
// error, or its context is over, each returns that error, with the number of the rank. All
// trainers of the ranks do so in each step; a program does so with what goes wrong before and
// after, so that no rank waits for one that has given up. An error that the ranks have agreed
// on already is returned at once. With nil Ranks it returns err.
func Agree(ctx context.Context, r Ranks, err error) error {
	return world{r}.agree(ctx, err, nil)
}

// What a rank says where all meet.
const (
	goesOn = iota
	interrupted
	brokenOff
)

const longestError = 1 << 12

// agree is Agree, where besides all must have the same view of something.
func (w world) agree(ctx context.Context, err error, view []byte) error {
	if w.size() == 1 || errors.As(err, new(*agreed)) {
		return err
	}
	status := goesOn
	switch {
	case err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()):
		status = interrupted
	case err != nil:
		status = brokenOff
	}
	text := ""
	if err != nil {
		text = err.Error()
		text = text[:min(len(text), longestError)]
	}
	h := fnv.New64a()
	h.Write(view)
	const each = 6
	said, cuts := make([]float32, each*w.size()), make([]int, w.size()+1)
	for r := range w.size() {
		cuts[r+1] = each * (r + 1)
	}
	mine := said[each*w.rank():]
	mine[0], mine[1] = float32(status), float32(len(text))
	halves(mine[2:], h.Sum64())
	if err := w.gather(ctx, said, cuts); err != nil {
		return err
	}
	worst, same := 0, 0 // the first rank with the worst to say, and how many say as much
	for r := range w.size() {
		switch s := said[each*r]; {
		case s > said[each*worst]:
			worst, same = r, 1
		case s == said[each*worst]:
			same++
		}
	}
	if said[each*worst] == goesOn {
		for r := range w.size() {
			if !slices.Equal(said[each*r+2:][:4], said[2:6]) {
				return &agreed{fmt.Errorf("train: rank %d of %d has other data, or is at another step, than rank 0: do all read the same set?", r, w.size())}
			}
		}
		return nil
	}
	return w.tell(ctx, err, text, worst, int(said[each*worst+1]), same == w.size(), said[each*worst] == interrupted)
}

// tell makes the error of one rank that of all.
func (w world) tell(ctx context.Context, own error, text string, worst, length int, everyone, stop bool) error {
	said := make([]float32, length)
	if w.rank() == worst {
		copy(said, words([]byte(text)))
	}
	if err := w.broadcast(ctx, worst, said); err != nil {
		return err
	}
	whose := fmt.Sprintf("rank %d of %d: ", worst, w.size())
	if everyone {
		whose = ""
	}
	switch {
	case stop:
		if own == nil {
			own = context.Canceled
		}
		return &agreed{own}
	case w.rank() == worst:
		return &agreed{fmt.Errorf("%s%w", whose, own)}
	}
	return &agreed{errors.New(whose + string(unworded(said)))}
}

// stopped tells whether an error is that the run was interrupted, here or on another rank.
func stopped(ctx context.Context, err error) bool {
	if a := (*agreed)(nil); errors.As(err, &a) && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return true
	}
	return ctx.Err() != nil && errors.Is(err, ctx.Err())
}

// numbers gathers a float64 of each of n things, of which owner says who has it.
func (w world) numbers(ctx context.Context, list []float64, owner []int) error {
	if w.size() == 1 {
		return nil
	}
	order, cuts := make([]int, len(list)), make([]int, w.size()+1)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return owner[i] - owner[j] })
	for _, o := range owner {
		cuts[o+1]++
	}
	for r := range w.size() {
		cuts[r+1] += cuts[r]
	}
	sorted := make([]float64, len(list))
	for at, i := range order {
		sorted[at] = list[i]
	}
	if err := w.wide(ctx, sorted, cuts); err != nil {
		return err
	}
	for at, i := range order {
		list[i] = sorted[at]
	}
	return nil
}

// wide is gather of numbers of 64 bits.
func (w world) wide(ctx context.Context, data []float64, cuts []int) error {
	flat, parts := make([]float32, 4*len(data)), make([]int, len(cuts))
	for r, c := range cuts {
		parts[r] = 4 * c
	}
	for i := cuts[w.rank()]; i < cuts[w.rank()+1]; i++ {
		halves(flat[4*i:], math.Float64bits(data[i]))
	}
	if err := w.gather(ctx, flat, parts); err != nil {
		return err
	}
	for i := range data {
		data[i] = math.Float64frombits(whole64(flat[4*i:]))
	}
	return nil
}
