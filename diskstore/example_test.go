package diskstore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sojourn-go/sojourn/diskstore"
	"github.com/sojourn-go/sojourn/store"
)

func Example() {
	parent, err := os.MkdirTemp("", "shop-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(parent)
	sessions, err := diskstore.Open(filepath.Join(parent, "sessions"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sessions.Close()

	// A sojourn.Manager does this for you.
	ctx := context.Background()
	rec := store.Record{User: "ada", Writer: store.Writer{1}, Data: []byte("cart: 2 items")}
	rec.Key = store.Key{Tag: store.TagOf("ada"), ID: store.ID{7}}
	if _, err := sessions.Create(ctx, rec, store.Admission{}); err != nil {
		fmt.Println(err)
		return
	}
	rec, _, err = sessions.Get(ctx, rec.Key)
	fmt.Printf("%s, %v\n", rec.Data, err)
	// Output: cart: 2 items, <nil>
}
