package main

import (
	"flag"
	"strconv"

	"github.com/goclip/goclip/scaling"
)

// inputs are what is assumed: nothing here was measured by us.
type inputs struct {
	pictures, pictureBytes, metadataBytes          float64
	machines, cores                                float64
	machineBytes, storeBytes, storeFiles, starts   float64
	startSeconds, lifetimeHours, restart           float64
	shard, part                                    float64
	memory, memoryRate                             float64
	priceCoreHour, priceTBMonth, priceThousandPuts float64
	batch, pairs, latency, overlap, share          float64
}

// input is one of them: the value is the page's.
type input struct {
	to    *float64
	name  string
	value float64
	usage string
}

func (in *inputs) list() []input {
	return []input{
		{&in.pictures, "pictures", 5e9, "pictures of the set"},
		{&in.pictureBytes, "picture-bytes", 100e3, "bytes of a picture in the shards, of 0.5 megapixels"},
		{&in.metadataBytes, "metadata-bytes", 60, "bytes of a name and a caption, compressed"},
		{&in.machines, "machines", 100, "machines"},
		{&in.cores, "cores", 64, "cores of a machine, each as quick as one of BENCHMARKS.md's and a worker; hardware threads are no cores"},
		{&in.machineBytes, "machine-bytes", 1.25e9, "bytes a second that a machine reads over the network: 10 Gbit/s"},
		{&in.storeBytes, "store-bytes", 20e9, "bytes a second that the store gives all machines together"},
		{&in.storeFiles, "store-files", 3500, "files a second that the store opens or creates"},
		{&in.starts, "starts", 50, "shards a second that the engine hands out"},
		{&in.startSeconds, "start-seconds", 2, "seconds of a worker for each shard: process, model"},
		{&in.lifetimeHours, "lifetime-hours", 100, "mean hours between two failures of one machine: such as are taken away when others pay more"},
		{&in.restart, "restart", 300, "seconds until a lost machine's shards are taken up"},
		{&in.shard, "shard", 10e3, "pictures of a shard"},
		{&in.part, "part", 10e3, "pictures of a part"},
		{&in.memory, "memory", 400e9, "bytes of a machine's memory for rows of an index"},
		{&in.memoryRate, "memory-rate", 200e9, "bytes a second that a machine reads from its memory"},
		{&in.priceCoreHour, "price-core-hour", 0.02, "price of a core for an hour"},
		{&in.priceTBMonth, "price-tb-month", 23, "price of keeping 10¹² bytes for a month"},
		{&in.priceThousandPuts, "price-thousand-files", 0.005, "price of opening or creating a thousand files"},
		{&in.pairs, "pairs", 12.8e9, "pairs that a training sees: 400 million, 32 times"},
		{&in.batch, "batch", 32768, "pairs of a training's global batch"},
		{&in.latency, "latency", 50e-6, "seconds of a message without content between two machines"},
		{&in.overlap, "overlap", 0.5, "share of a step during which gradients travel already"},
		{&in.share, "share", 0.5, "what another machine has to add, as a share of the first one's speed, to be worth it"},
	}
}

// flags gives each input a flag.
func (in *inputs) flags(to *flag.FlagSet) {
	for _, f := range in.list() {
		to.Float64Var(f.to, f.name, f.value, f.usage)
	}
}

func defaults() (in inputs) {
	for _, f := range in.list() {
		*f.to = f.value
	}
	return in
}

// assumed is the table of inputs.
func (in inputs) assumed() string {
	var rows [][]string
	for _, f := range in.list() {
		rows = append(rows, []string{"`-" + f.name + "`", strconv.FormatFloat(*f.to, 'g', -1, 64), f.usage})
	}
	return grid([]string{"input", "value", "meaning"}, rows)
}

// bulk is the run with a tower.
func (in inputs) bulk(coreSeconds float64) scaling.Bulk {
	return scaling.Bulk{
		Pictures: in.pictures, PictureBytes: in.pictureBytes, CoreSeconds: coreSeconds,
		PerShard: in.shard, PerFile: in.shard, PerPart: in.part, PartFiles: 3,
		Machines: in.machines, Cores: in.cores, StartSeconds: in.startSeconds,
		MachineBytes: in.machineBytes, StoreBytes: in.storeBytes, StoreFiles: in.storeFiles, Starts: in.starts,
		Lifetime: in.lifetimeHours * 3600, Restart: in.restart,
	}
}
