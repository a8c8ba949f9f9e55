//! A foreach in a foreach in a foreach.

use wrun_sdk::prelude::*;

/// Names every cell of a cube.
#[flow]
mod nested {
    use super::*;

    #[derive(Artifacts)]
    struct Planes {
        planes: Vec<u32>,
    }

    #[derive(Artifacts)]
    struct Rows {
        rows: Vec<u32>,
    }

    #[derive(Artifacts)]
    struct Cells {
        cells: Vec<String>,
    }

    #[derive(Artifacts)]
    struct Named {
        name: String,
    }

    #[derive(Artifacts)]
    struct Names {
        names: Vec<String>,
    }

    #[step(foreach = "planes", next = "plane")]
    fn start() -> Planes {
        Planes {
            planes: vec![1, 0, 2],
        }
    }

    /// The second plane is empty.
    #[step(foreach = "rows", next = "row")]
    fn plane(#[item] plane: u32) -> Rows {
        Rows {
            rows: (0..plane).collect(),
        }
    }

    #[step(foreach = "cells", next = "cell")]
    fn row(#[item] row: u32, rows: Vec<u32>) -> Cells {
        Cells {
            cells: (0..2)
                .map(|cell| format!("{}:{row}:{cell}", rows.len()))
                .collect(),
        }
    }

    #[step(next = "joined_cells")]
    fn cell(#[item] cell: String, task: &Task) -> Named {
        Named {
            name: format!("{cell} {:?} {}", task.indices(), task.name()),
        }
    }

    #[step(join, next = "joined_rows")]
    fn joined_cells(cells: Inputs<Named>) -> Result<Names> {
        let names = cells.iter().map(|cell| cell.map(|cell| cell.name));
        Ok(Names {
            names: names.collect::<Result<_>>()?,
        })
    }

    #[step(join, next = "joined_planes")]
    fn joined_rows(rows: Inputs<Names>) -> Result<Names> {
        let names = rows
            .iter()
            .map(|row| row.map(|row| row.names))
            .collect::<Result<Vec<_>>>()?;
        Ok(Names {
            names: names.concat(),
        })
    }

    #[step(join)]
    fn joined_planes(planes: Inputs<Names>) -> Result<Names> {
        let names = planes
            .iter()
            .map(|plane| plane.map(|plane| plane.names))
            .collect::<Result<Vec<_>>>()?;
        Ok(Names {
            names: names.concat(),
        })
    }
}
