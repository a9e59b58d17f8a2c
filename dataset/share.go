package dataset

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Share is the part of one of several processes, on one machine or many, that go through the same
// sequence of batches at the same time: each decodes some images of every batch, and the pairs of
// the others come without. The sequence, the cursors and the ledgers are those of a process alone.
//
// Whether an image can be decoded is known only afterwards, and decides which pairs make up the batch.
// So each tells the others what it could not decode, they try that as well, and it is left out by all.
// Where one of them can decode it, the sequence ends: these processes do not read the same set.
type Share struct {
	// Part says which of the n pairs of a batch are decoded here, from ≤ i < to. Each pair is of the
	// part of one process.
	Part func(n int) (from, to int)

	// Agree is called by all processes as often, in the goroutine that goes through the sequence; it
	// waits for all and returns what each of them said is bad, in one order. Where one has an error,
	// or the text in which they describe where they are differs, it is an error in all.
	Agree func(ctx context.Context, at string, bad []int, err error) (all [][]int, failed error)
}

// behind is how many samples of an epoch's batches so far were bad.
type behind struct{ epoch, bad int }

// ours guesses, before it is known which samples are bad, whether one will be in this process's part
// of its batch.
func (l *loader) ours(j *job) bool {
	if l.o.Share == nil {
		return true
	}
	i := j.number
	if b := l.behind.Load(); b.epoch == j.epoch {
		i -= b.bad
	}
	i %= l.o.Size
	return l.from <= i && i < l.to
}

// certain is the next job of which all processes know what became.
func (l *loader) certain() (*job, error) {
	if l.o.Share == nil {
		return l.take()
	}
	if len(l.settled) == 0 {
		if err := l.settle(); err != nil {
			return nil, err
		}
	}
	j := l.settled[0]
	l.settled = l.settled[1:]
	return j, nil
}

// settle takes the jobs of a batch, or those that an epoch has left, and finds out with the other
// processes which samples are bad: as often as there is news, since others take their places.
func (l *loader) settle() (err error) {
	var jobs []*job
	for news := true; news; {
		if err == nil {
			jobs, err = l.fill(jobs)
		}
		if err == nil {
			err = l.complete(jobs)
		}
		all, failed := l.o.Share.Agree(l.ctx, where(jobs), undecodable(jobs), err)
		if failed != nil {
			return failed
		}
		news, err = compare(jobs, all)
	}
	if len(jobs) == 0 {
		return errDone
	}
	good, from, to := l.part(jobs)
	for i, j := range good {
		if i < from || i >= to {
			j.pair.Image = nil // the guess was wrong
		}
	}
	now := behind{jobs[0].epoch, len(jobs) - len(good)}
	if before := l.behind.Load(); before.epoch == now.epoch {
		now.bad += before.bad
	}
	l.behind.Store(&now)
	l.settled = jobs
	return nil
}

// fill adds jobs until the samples that are not known to be bad make a batch, or the epoch ends.
func (l *loader) fill(jobs []*job) ([]*job, error) {
	good, _, _ := l.part(jobs)
	for n := len(good); n < l.o.Size && (len(jobs) == 0 || !jobs[len(jobs)-1].endOfEpoch); {
		j, err := l.take()
		if err == errDone {
			break
		}
		if err != nil {
			return jobs, err
		}
		if jobs = append(jobs, j); j.good() {
			n++
		}
	}
	return jobs, nil
}

// good tells whether a sample is not known to be bad by all processes.
func (j *job) good() bool { return !j.endOfEpoch && !j.suspect && (j.fault == nil || j.tried) }

// part is the jobs of samples that are not known to be bad, and which of them are decoded here.
func (l *loader) part(jobs []*job) (good []*job, from, to int) {
	for _, j := range jobs {
		if j.good() {
			good = append(good, j)
		}
	}
	from, to = l.o.Share.part(len(good))
	return good, from, to
}

// part is Part, within what there is.
func (s *Share) part(n int) (from, to int) {
	from, to = s.Part(n)
	from = min(max(from, 0), n)
	return from, min(max(from, to), n)
}

// complete decodes what is still to be decoded here: of this process's part, and of what another
// could not.
func (l *loader) complete(jobs []*job) error {
	good, from, to := l.part(jobs)
	todo := slices.Clone(good[from:to])
	for _, j := range jobs {
		if j.suspect {
			todo = append(todo, j)
		}
	}
	todo = slices.DeleteFunc(todo, func(j *job) bool { return j.tried })
	var all sync.WaitGroup
	for w := range min(l.o.Workers, len(todo)) {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := w; i < len(todo); i += l.o.Workers {
				l.decode(todo[i])
			}
		}()
	}
	all.Wait()
	if err := l.ctx.Err(); err != nil {
		return fmt.Errorf("dataset: batches: %w", err)
	}
	for _, j := range todo {
		if j.err != nil {
			return j.err
		}
	}
	return nil
}

// undecodable are the places of the jobs whose images could not be decoded here.
func undecodable(jobs []*job) (places []int) {
	for i, j := range jobs {
		if j.tried && j.fault != nil {
			places = append(places, i)
		}
	}
	return places
}

// where is what all processes have to agree upon before they speak of places.
func where(jobs []*job) string {
	if len(jobs) == 0 {
		return "the end"
	}
	last := jobs[len(jobs)-1]
	return fmt.Sprintf("%d samples to epoch %d, position %d, end %v", len(jobs), last.epoch, last.position, last.endOfEpoch)
}

// compare takes what all processes could not decode, and tells whether there is anything of which not
// all of them have tried it. What one could and another could not is an error where it could not.
func compare(jobs []*job, all [][]int) (news bool, err error) {
	times := make([]int, len(jobs))
	for _, places := range all {
		for _, i := range places {
			if i < 0 || i >= len(jobs) {
				return true, fmt.Errorf("dataset: batches: another process has bad sample %d of %d", i, len(jobs))
			}
			times[i]++
		}
	}
	for i, j := range jobs {
		switch {
		case times[i] > 0 && !j.suspect:
			j.suspect, news = true, true
		case j.suspect && times[i] < len(all):
			news = true
			if j.fault != nil {
				err = fmt.Errorf("dataset: batches: %s (other processes can read it)", j.bad())
			}
		}
	}
	return news, err
}
