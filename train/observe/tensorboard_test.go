package observe_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/train/observe"
)

// TestTensorBoard reads the event file with a TFRecord reader written from its
// description and protobuf's own parser of TensorBoard's messages.
func TestTensorBoard(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "events")
	board, err := observe.OpenTensorBoard(dir)
	check(t, err)
	var want []string
	for step := 7; step < 10; step++ {
		e := train.Event{Stats: train.Stats{Step: step, Loss: 1 / float64(step), Chance: 3, LR: 1e-3, GradNorm: 300}, Epoch: 2, Bad: 5}
		e.Test = map[string]float64{"top1": 0.5}
		check(t, board.Observe(e))
		for _, v := range []string{
			"data/epoch 2", "data/left_out 5", "data/repeated 0", "data/truncated 0", "test/top1 0.5",
			"train/chance 3", "train/grad_norm 300", "train/image_cosine 0", "train/logit_scale 0",
			fmt.Sprint("train/loss ", float32(1/float64(step))), "train/lr 0.001", "train/text_cosine 0",
		} {
			want = append(want, fmt.Sprintf("%d %s", step, v))
		}
	}
	check(t, board.Scalars(9, map[string]float64{"eval/top1": 0.25}))
	want = append(want, "9 eval/top1 0.25")
	check(t, board.Close())

	files, err := os.ReadDir(dir)
	check(t, err)
	if len(files) != 1 || !strings.HasPrefix(files[0].Name(), "events.out.tfevents.") {
		t.Fatalf("got files %v, want one that TensorBoard takes for its own", files)
	}
	content, err := os.ReadFile(filepath.Join(dir, files[0].Name()))
	check(t, err)
	// Every event file of TensorFlow begins so: 24 bytes follow, and the time.
	if got := fmt.Sprintf("% x", content[:13]); got != "18 00 00 00 00 00 00 00 a3 7f 4b 22 09" {
		t.Errorf("the file begins with %s", got)
	}
	var got []string
	message := eventMessage(t)
	fields := message.Fields()
	for i, data := range records(t, content) {
		e := dynamicpb.NewMessage(message)
		check(t, proto.UnmarshalOptions{}.Unmarshal(data, e))
		if len(e.GetUnknown()) > 0 {
			t.Errorf("record %d: unknown fields", i)
		}
		step := e.Get(fields.ByName("step")).Int()
		if wall := e.Get(fields.ByName("wall_time")).Float(); !(wall > 1.7e9 && wall < 1e11) {
			t.Errorf("record %d: time %g, want seconds since 1970", i, wall)
		}
		switch version, log := e.Get(fields.ByName("file_version")), e.Get(fields.ByName("session_log")).Message(); i {
		case 0:
			if version.String() != "brain.Event:2" {
				t.Errorf("file version %q", version)
			}
		case 1:
			if status := log.Get(log.Descriptor().Fields().ByName("status")).Enum(); status != 1 || step != 7 {
				t.Errorf("session status %d at step %d, want START at 7", status, step)
			}
		default:
			s := e.Get(fields.ByName("summary")).Message()
			values := s.Get(s.Descriptor().Fields().ByName("value")).List()
			for j := range values.Len() {
				v := values.Get(j).Message()
				f := v.Descriptor().Fields()
				got = append(got, fmt.Sprint(step, " ", v.Get(f.ByName("tag")), " ", float32(v.Get(f.ByName("simple_value")).Float())))
			}
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// records reads TFRecords: uint64 length, uint32 masked CRC-32C of it, data,
// uint32 masked CRC-32C of them.
func records(t *testing.T, b []byte) (list [][]byte) {
	t.Helper()
	for len(b) > 0 {
		n := binary.LittleEndian.Uint64(b)
		data := b[12 : 12+n]
		for _, c := range []struct{ of, sum []byte }{{b[:8], b[8:12]}, {data, b[12+n : 16+n]}} {
			if got, want := binary.LittleEndian.Uint32(c.sum), maskedBitwise(c.of); got != want {
				t.Errorf("record %d: checksum %08x, want %08x", len(list), got, want)
			}
		}
		list, b = append(list, data), b[16+n:]
	}
	return list
}

// maskedBitwise is the CRC of the polynomial 0x1edc6f41, bit by bit.
func maskedBitwise(data []byte) uint32 {
	c := ^uint32(0)
	for _, x := range data {
		c ^= uint32(x)
		for range 8 {
			if c&1 == 1 {
				c = c>>1 ^ 0x82f63b78
			} else {
				c >>= 1
			}
		}
	}
	c = ^c
	return (c>>15 | c<<17) + 0xa282ead8
}

// eventMessage describes the part of tensorboard.Event that is used.
func eventMessage(t *testing.T) protoreflect.MessageDescriptor {
	t.Helper()
	field := func(name string, number int32, kind descriptorpb.FieldDescriptorProto_Type, of string) *descriptorpb.FieldDescriptorProto {
		f := &descriptorpb.FieldDescriptorProto{
			Name: proto.String(name), Number: proto.Int32(number), Type: kind.Enum(),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}
		if of != "" {
			f.TypeName = proto.String(of)
		}
		return f
	}
	const (
		double = descriptorpb.FieldDescriptorProto_TYPE_DOUBLE
		float  = descriptorpb.FieldDescriptorProto_TYPE_FLOAT
		number = descriptorpb.FieldDescriptorProto_TYPE_INT64
		text   = descriptorpb.FieldDescriptorProto_TYPE_STRING
		nested = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE
		enum   = descriptorpb.FieldDescriptorProto_TYPE_ENUM
	)
	values := field("value", 1, nested, ".tensorboard.Value")
	values.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
	message := func(name string, fields ...*descriptorpb.FieldDescriptorProto) *descriptorpb.DescriptorProto {
		return &descriptorpb.DescriptorProto{Name: proto.String(name), Field: fields}
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("event.proto"), Package: proto.String("tensorboard"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{
			message("Event", field("wall_time", 1, double, ""), field("step", 2, number, ""), field("file_version", 3, text, ""),
				field("summary", 5, nested, ".tensorboard.Summary"), field("session_log", 7, nested, ".tensorboard.SessionLog")),
			message("Summary", values),
			message("Value", field("tag", 1, text, ""), field("simple_value", 2, float, "")),
			message("SessionLog", field("status", 1, enum, ".tensorboard.Status")),
		},
		EnumType: []*descriptorpb.EnumDescriptorProto{{Name: proto.String("Status"), Value: []*descriptorpb.EnumValueDescriptorProto{
			{Name: proto.String("STATUS_UNSPECIFIED"), Number: proto.Int32(0)}, {Name: proto.String("START"), Number: proto.Int32(1)},
		}}},
	}, nil)
	check(t, err)
	return file.Messages().ByName("Event")
}
