package scaling_test

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/goclip/goclip/scaling"
)

// plain is a run in which the cores are what limits it.
func plain() scaling.Bulk {
	return scaling.Bulk{Pictures: 1e6, PictureBytes: 5e4, CoreSeconds: 0.04, PerShard: 1000, PerFile: 1000, PerPart: 500, PartFiles: 3,
		Machines: 10, Cores: 8, StartSeconds: 1, MachineBytes: 1e9, StoreBytes: 1e9, StoreFiles: 1000, Starts: 50, Lifetime: 1e9, Restart: 60}
}

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol*math.Abs(want)) {
		t.Errorf("%s: %g, want %g ± %g of it", what, got, want, tol)
	}
}

func TestBulkLimits(t *testing.T) {
	b := plain()
	limits, err := b.Limits()
	if err != nil {
		t.Fatal(err)
	}
	want := map[scaling.Resource]float64{
		scaling.CoresOfMachines:   (1e6*0.04 + 1000*1) / 80,
		scaling.NetworkOfMachines: 1e6 * 5e4 / (10 * 1e9),
		scaling.BytesOfStore:      1e6 * 5e4 / 1e9,
		scaling.FilesOfStore:      (1000 + 3*2000) / 1000.0,
		scaling.StartsOfEngine:    1000 / 50.0,
	}
	if len(limits) != len(want) || limits[0].Resource != scaling.CoresOfMachines {
		t.Fatalf("limits %+v", limits)
	}
	for i, l := range limits {
		near(t, l.Resource.String(), l.Seconds, want[l.Resource], 1e-12)
		if i > 0 && l.Seconds > limits[i-1].Seconds {
			t.Errorf("limits are not in order: %+v", limits)
		}
	}
	// With the machines that are enough, they and the store take equally long, to a machine.
	n, what, err := b.Enough()
	if err != nil || what != scaling.BytesOfStore {
		t.Fatalf("%g machines are enough for %v, %v", n, what, err)
	}
	b.Machines = n - 1
	if limits, _ = b.Limits(); limits[0].Resource != scaling.CoresOfMachines {
		t.Errorf("one machine less than enough, and %v limits", limits[0].Resource)
	}
	b.Machines = n + 1
	if limits, _ = b.Limits(); limits[0].Resource != what {
		t.Errorf("one machine more than enough, and %v limits, want %v", limits[0].Resource, what)
	}
	// Loose files are as many opens as pictures.
	b.PerFile = 1
	near(t, "files", b.Files(), 1e6+6000, 1e-12)
}

// TestBulkSimulated: what is predicted is what comes of playing it through, shard by shard and
// failure by failure.
func TestBulkSimulated(t *testing.T) {
	b := plain()
	b.Pictures, b.Machines, b.Lifetime = 8e6, 20, 400
	predicted, err := b.Outcome()
	if err != nil {
		t.Fatal(err)
	}
	seconds, failures := simulate(b, 1)
	t.Logf("predicted %.0f s with %.1f failures, of which %.0f s tail; simulated %.0f s, %.0f", predicted.Seconds, predicted.Failures, predicted.Tail, seconds, failures)
	if !(seconds <= predicted.Seconds*1.03 && seconds >= (predicted.Seconds-predicted.Tail)*0.97) {
		t.Errorf("%.0f s simulated, %.0f s predicted with a tail of at most %.0f s", seconds, predicted.Seconds, predicted.Tail)
	}
	if !(math.Abs(failures-predicted.Failures) <= 4*math.Sqrt(predicted.Failures)) {
		t.Errorf("%.0f failures simulated, %.1f predicted", failures, predicted.Failures)
	}
}

type event struct {
	at     float64
	worker int
	era    int // of its machine: events of before a failure count for nothing
}
type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at < e[j].at }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// simulate plays a run through whose cores limit it: workers take shards until none is left, machines
// fail at random, and what a lost worker had not finished of its part is made again by
// whoever takes up the shard.
func simulate(b scaling.Bulk, seed uint64) (seconds, failures float64) {
	random := rand.New(rand.NewPCG(seed, 2))
	machines, cores := int(b.Machines), int(b.Cores)
	left := make([]float64, 0, int(b.Pictures/b.PerShard)) // pictures of shards that nobody has
	for range int(b.Pictures / b.PerShard) {
		left = append(left, b.PerShard)
	}
	type worker struct{ began, pictures float64 }
	workers, eras, fails := make([]worker, machines*cores), make([]int, machines), make([]float64, machines)
	queue := &events{}
	take := func(w int, now float64) {
		if len(left) == 0 {
			workers[w] = worker{}
			return
		}
		workers[w] = worker{now + b.StartSeconds, left[len(left)-1]}
		left = left[:len(left)-1]
		heap.Push(queue, event{now + b.StartSeconds + workers[w].pictures*b.CoreSeconds, w, eras[w/cores]})
	}
	for m := range machines {
		fails[m] = random.ExpFloat64() * b.Lifetime
		heap.Push(queue, event{fails[m], -1 - m, 0})
	}
	for w := range workers {
		take(w, 0)
	}
	for undone := b.Pictures; undone > 1e-6; {
		e := heap.Pop(queue).(event)
		if m := -1 - e.worker; m >= 0 {
			failures++
			eras[m]++
			for w := m * cores; w < (m+1)*cores; w++ {
				if workers[w].pictures > 0 {
					whole := math.Floor(max(0, e.at-workers[w].began)/b.CoreSeconds/b.PerPart) * b.PerPart
					undone -= whole
					left = append(left, workers[w].pictures-whole)
				}
				workers[w] = worker{}
				heap.Push(queue, event{e.at + b.Restart, w, eras[m]})
			}
			heap.Push(queue, event{e.at + random.ExpFloat64()*b.Lifetime, e.worker, 0})
			continue
		}
		if e.era != eras[e.worker/cores] {
			continue
		}
		undone -= workers[e.worker].pictures
		seconds = e.at
		take(e.worker, e.at)
	}
	return seconds, failures
}

func TestBulkIsChecked(t *testing.T) {
	for name, spoil := range map[string]func(*scaling.Bulk){
		"Pictures": func(b *scaling.Bulk) { b.Pictures = 0 }, "CoreSeconds": func(b *scaling.Bulk) { b.CoreSeconds = math.NaN() },
		"Cores": func(b *scaling.Bulk) { b.Cores = -1 }, "Restart": func(b *scaling.Bulk) { b.Restart = -1 }, "StoreBytes": func(b *scaling.Bulk) { b.StoreBytes = math.Inf(1) },
	} {
		b := plain()
		spoil(&b)
		if _, err := b.Outcome(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
		if _, _, err := b.Enough(); err == nil {
			t.Errorf("%s: Enough has no error", name)
		}
	}
	b := plain()
	b.Lifetime = 30
	if _, err := b.Outcome(); err == nil || !strings.Contains(err.Error(), "never ends") {
		t.Errorf("machines that fail at once: error %v", err)
	}
}

func TestRows(t *testing.T) {
	r := scaling.Rows{N: 1e9, Bytes: 1024, Memory: 4e11, PerTouch: 1e11}
	if r.Machines() != 3 {
		t.Errorf("%g machines, want 3", r.Machines())
	}
	near(t, "a query", r.Seconds(), 1.024e12/3/1e11, 1e-12)
}
