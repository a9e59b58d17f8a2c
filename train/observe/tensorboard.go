package observe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/goclip/goclip/train"
)

// TensorBoard is a [train.Observer] that writes the numbers of each event as scalars
// to an event file of TensorBoard. Each process writes its own file. In a resumed
// run, TensorBoard shows from older files only the steps before the checkpoint.
type TensorBoard struct {
	f       *os.File
	started bool
}

// OpenTensorBoard creates an event file in the folder dir, and dir if it is
// missing. Show it with tensorboard --logdir.
func OpenTensorBoard(dir string) (*TensorBoard, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("observe: %w", err)
	}
	name := fmt.Sprintf("events.out.tfevents.%010d.goclip.%d", time.Now().Unix(), os.Getpid())
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return nil, fmt.Errorf("observe: %w", err)
	}
	return &TensorBoard{f: f}, nil
}

// Observe implements [train.Observer].
func (b *TensorBoard) Observe(e train.Event) error {
	values := map[string]float64{
		"train/loss":         e.Loss,
		"train/grad_norm":    e.GradNorm,
		"train/lr":           e.LR,
		"train/logit_scale":  e.LogitScale,
		"train/image_cosine": e.ImageCosine,
		"train/text_cosine":  e.TextCosine,
		"data/epoch":         float64(e.Epoch),
		"data/left_out":      float64(e.Bad),
		"data/truncated":     float64(e.Truncated),
		"data/repeated":      float64(e.Repeated),
	}
	if e.Chance != 0 { // known
		values["train/chance"] = e.Chance
	}
	for name, v := range e.Test {
		values["test/"+name] = v
	}
	return b.Scalars(e.Step, values)
}

// Scalars writes further numbers by their tags, for example an accuracy.
// Observe should have been called before.
func (b *TensorBoard) Scalars(step int, values map[string]float64) error {
	if b == nil || b.f == nil {
		return errors.New("observe: the TensorBoard has no file, want one of OpenTensorBoard")
	}
	var records []byte
	if !b.started {
		records = appendRecord(records, event(0, fileVersion, []byte("brain.Event:2")))
		start := protowire.AppendVarint(protowire.AppendTag(nil, sessionStatus, protowire.VarintType), sessionStart)
		records = appendRecord(records, event(step, sessionLog, start))
		b.started = true
	}
	records = appendRecord(records, event(step, summary, scalars(values)))
	if _, err := b.f.Write(records); err != nil {
		return fmt.Errorf("observe: %s: %w", b.f.Name(), err)
	}
	return nil
}

// Close closes the file. Without one it does nothing.
func (b *TensorBoard) Close() error {
	if b == nil || b.f == nil {
		return nil
	}
	return b.f.Close()
}

// Fields of the messages in tensorboard/compat/proto, event.proto and
// summary.proto.
const (
	wallTime    protowire.Number = 1 // of Event
	globalStep  protowire.Number = 2
	fileVersion protowire.Number = 3
	summary     protowire.Number = 5
	sessionLog  protowire.Number = 7

	sessionStatus protowire.Number = 1 // of SessionLog

	summaryValue protowire.Number = 1 // of Summary
	valueTag     protowire.Number = 1 // of Summary.Value
	simpleValue  protowire.Number = 2
)

// sessionStart as the status says that what older files have of this and later
// steps is void.
const sessionStart = 1

// event is an Event with one of its contents.
func event(step int, what protowire.Number, content []byte) []byte {
	m := protowire.AppendTag(nil, wallTime, protowire.Fixed64Type)
	m = protowire.AppendFixed64(m, math.Float64bits(float64(time.Now().UnixNano())/1e9))
	if step != 0 { // proto3 leaves zeros out
		m = protowire.AppendTag(m, globalStep, protowire.VarintType)
		m = protowire.AppendVarint(m, uint64(step))
	}
	m = protowire.AppendTag(m, what, protowire.BytesType)
	return protowire.AppendBytes(m, content)
}

// scalars is a Summary.
func scalars(values map[string]float64) []byte {
	var m []byte
	for _, tag := range slices.Sorted(maps.Keys(values)) {
		v := protowire.AppendTag(nil, valueTag, protowire.BytesType)
		v = protowire.AppendString(v, tag)
		v = protowire.AppendTag(v, simpleValue, protowire.Fixed32Type)
		v = protowire.AppendFixed32(v, math.Float32bits(float32(values[tag])))
		m = protowire.AppendTag(m, summaryValue, protowire.BytesType)
		m = protowire.AppendBytes(m, v)
	}
	return m
}

// appendRecord frames data as a TFRecord: the length, its checksum, the data,
// theirs.
func appendRecord(b, data []byte) []byte {
	length := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	b = append(b, length...)
	b = binary.LittleEndian.AppendUint32(b, maskedCRC(length))
	b = append(b, data...)
	return binary.LittleEndian.AppendUint32(b, maskedCRC(data))
}

// maskedCRC is CRC-32C, turned and shifted as LevelDB does lest a checksum be
// taken of data that hold their checksum.
func maskedCRC(data []byte) uint32 {
	c := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return (c>>15 | c<<17) + 0xa282ead8
}
