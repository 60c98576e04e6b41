// Command embed runs the closed loop inside another program: open a database, publish a definition, propose a
// project, ask why it cannot be handed out yet, and print its trail. Run it with: go run ./examples/embed
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"bihuan/engine"
	"bihuan/storage"
	"bihuan/workflows"
)

func main() {
	dir, err := os.MkdirTemp("", "bihuan-embed-")
	check(err)
	defer os.RemoveAll(dir)
	ctx := context.Background()
	db, err := storage.Open(ctx, "sqlite:"+dir+"/loop.db")
	check(err)
	defer db.Close()
	check(db.Migrate(ctx))
	e, err := engine.New(ctx, engine.Config{Store: db, Compile: workflows.Compile})
	check(err)
	source, _ := workflows.Source("shishi")
	_, err = e.Publish(ctx, engine.Operator(), source)
	check(err)

	unit, err := e.AddUnit(ctx, engine.Operator(), "", "dw", "学校党委")
	check(err)
	_, err = e.AddUser(ctx, engine.Operator(), "zhang", "张岚")
	check(err)
	u, err := e.Grant(ctx, engine.Operator(), "zhang", "dw", engine.Supervisor)
	check(err)
	zhang := engine.Actor{ID: u.ID, Grants: u.Grants, Via: "embed"}

	p, err := e.Create(ctx, zhang, "shishi", unit, engine.Draft{Title: "教学楼每层装直饮水机"})
	check(err)
	fmt.Println(p.Number, p.Title, p.Stage)
	options, err := e.Explain(ctx, zhang, &p)
	check(err)
	for _, r := range options[0].Reasons { // the first transition out of 谋划
		fmt.Println(map[bool]string{true: "  ✓", false: "  ✗"}[r.Met], r.In("zh-CN"))
	}
	trail, err := e.Trail(ctx, zhang, engine.EntryFilter{Subject: p.Subject()})
	check(err)
	fmt.Println(trail.Items[0].Action, trail.Items[0].Hash)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
