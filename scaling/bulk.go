package scaling

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Bulk is the embedding of a set on many machines, shard by shard, as workers of "goclip embed" do it.
// Rates of machines and stores are what they keep up, not what their makers name.
type Bulk struct {
	Pictures     float64 // of the set
	PictureBytes float64 // of one, as its file holds it
	CoreSeconds  float64 // that one core takes for one picture, from the file to the embedding
	PerShard     float64 // pictures of a shard: a worker takes one at a time
	PerFile      float64 // pictures of a file of the set: PerShard of tars, 1 of loose files
	PerPart      float64 // pictures of a part: what is begun anew where a worker is lost
	PartFiles    float64 // files that a part is

	Machines     float64
	Cores        float64 // of a machine, each a worker
	StartSeconds float64 // of a worker for each shard, loading the model

	MachineBytes float64 // a second that one machine reads over the network
	StoreBytes   float64 // a second that the store gives to all machines
	StoreFiles   float64 // a second that the store opens or creates for all machines
	Starts       float64 // shards a second that the engine hands out

	Lifetime float64 // mean seconds between two failures of one machine
	Restart  float64 // seconds from a failure until others have taken up the machine's shards
}

// Resource is what limits a bulk run.
type Resource uint8

// The resources, in the order in which [Bulk.Limits] has those that take as long as each other.
const (
	CoresOfMachines Resource = iota
	NetworkOfMachines
	BytesOfStore
	FilesOfStore
	StartsOfEngine
)

// String is the resource in words.
func (r Resource) String() string {
	names := []string{"the machines' cores", "the machines' network", "the store's bytes", "the store's files", "the engine's starts"}
	if int(r) >= len(names) {
		return fmt.Sprintf("Resource(%d)", uint8(r))
	}
	return names[r]
}

// Limit is how long a resource alone would take.
type Limit struct {
	Resource Resource
	Seconds  float64
	PerMore  bool // more machines have more of it
}

// Validate names the first field that no run could have.
func (b Bulk) Validate() error {
	for _, f := range []struct {
		name string
		v    float64
		none bool // 0 is allowed
	}{
		{"Pictures", b.Pictures, false}, {"PictureBytes", b.PictureBytes, false}, {"CoreSeconds", b.CoreSeconds, false},
		{"PerShard", b.PerShard, false}, {"PerFile", b.PerFile, false}, {"PerPart", b.PerPart, false}, {"PartFiles", b.PartFiles, true},
		{"Machines", b.Machines, false}, {"Cores", b.Cores, false}, {"StartSeconds", b.StartSeconds, true},
		{"MachineBytes", b.MachineBytes, false}, {"StoreBytes", b.StoreBytes, false}, {"StoreFiles", b.StoreFiles, false}, {"Starts", b.Starts, false},
		{"Lifetime", b.Lifetime, false}, {"Restart", b.Restart, true},
	} {
		if !(f.v > 0 || f.none && f.v == 0) || math.IsInf(f.v, 0) {
			return fmt.Errorf("scaling: Bulk.%s is %g, want more than 0", f.name, f.v)
		}
	}
	return nil
}

// Files is how many files are opened and created: those of the set, and those of its parts.
func (b Bulk) Files() float64 {
	return b.Pictures/b.PerFile + b.PartFiles*b.Pictures/min(b.PerPart, b.PerShard)
}

// Limits says how long each resource would take if it were the only one that is limited, the longest
// first: that one limits the run. They overlap, so times are not added up.
func (b Bulk) Limits() ([]Limit, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	shards := b.Pictures / b.PerShard
	all := []Limit{
		{CoresOfMachines, (b.Pictures*b.CoreSeconds + shards*b.StartSeconds) / (b.Machines * b.Cores), true},
		{NetworkOfMachines, b.Pictures * b.PictureBytes / (b.Machines * b.MachineBytes), true},
		{BytesOfStore, b.Pictures * b.PictureBytes / b.StoreBytes, false},
		{FilesOfStore, b.Files() / b.StoreFiles, false},
		{StartsOfEngine, shards / b.Starts, false},
	}
	slices.SortStableFunc(all, func(a, b Limit) int {
		switch {
		case a.Seconds > b.Seconds:
			return -1
		case a.Seconds < b.Seconds:
			return 1
		}
		return 0
	})
	return all, nil
}

// Outcome is what becomes of a bulk run.
type Outcome struct {
	Seconds  float64 // of the whole run, failures and the last shards included
	Limit    Resource
	Failures float64 // of machines, on the average
	Lost     float64 // share of the machines' time that failures cost
	Tail     float64 // seconds at the end in which workers have no shard left, at most
}

// Outcome predicts the run. A machine that fails costs each of its workers half a part, on the
// average, and the time until they are taken up elsewhere. In the end workers wait for the last ones, no longer than a
// shard takes.
func (b Bulk) Outcome() (Outcome, error) {
	limits, err := b.Limits()
	if err != nil {
		return Outcome{}, err
	}
	o := Outcome{Limit: limits[0].Resource, Tail: b.StartSeconds + min(b.PerShard, b.Pictures)*b.CoreSeconds}
	o.Lost = (b.Restart + b.StartSeconds + min(b.PerPart, b.PerShard)*b.CoreSeconds/2) / b.Lifetime
	if o.Lost >= 1 {
		return o, errors.New("scaling: machines fail sooner than they finish a part, so the run never ends: smaller parts")
	}
	o.Seconds = limits[0].Seconds/(1-o.Lost) + o.Tail
	o.Failures = b.Machines * o.Seconds / b.Lifetime
	return o, nil
}

// Enough is the number of machines beyond which more of them bring nothing, and what limits the run
// then, which machines do not bring with them.
func (b Bulk) Enough() (float64, Resource, error) {
	limits, err := b.Limits()
	if err != nil {
		return 0, 0, err
	}
	machines := 0.0 // machine-seconds
	for _, l := range limits {
		if l.PerMore {
			machines = max(machines, l.Seconds*b.Machines)
		}
	}
	for _, l := range limits {
		if !l.PerMore {
			return math.Ceil(machines / l.Seconds), l.Resource, nil
		}
	}
	return 0, 0, errors.New("scaling: nothing but machines limits the run") // Limits has others
}

// Rows are embeddings that are searched by reading all of them, in the memory of as many machines as
// they need, each with its share.
type Rows struct {
	N        float64 // how many
	Bytes    float64 // of one
	Memory   float64 // of a machine, for rows
	PerTouch float64 // bytes a second that one machine reads and compares
}

// Total is the size of all rows in bytes.
func (r Rows) Total() float64 { return r.N * r.Bytes }

// Machines is how many are needed.
func (r Rows) Machines() float64 { return math.Ceil(r.Total() / r.Memory) }

// Seconds is what one query takes: all machines read their shares at once.
func (r Rows) Seconds() float64 { return r.Total() / r.Machines() / r.PerTouch }
