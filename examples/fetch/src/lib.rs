//! Data from a service: a request for a list, a request for each of its elements, a mean.

use wrun_sdk::http;
use wrun_sdk::prelude::*;

/// A place at which the temperature is measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Station {
    name: String,
    /// Where its readings are, below the address of the service.
    readings: String,
}

/// What a station measured, in degrees Celsius, hour by hour.
#[derive(Debug, Deserialize)]
struct Readings {
    celsius: Vec<f64>,
}

/// Asks a service how warm it was.
///
/// What the service answers is kept with the run, so that a replay needs no network and sees what
/// this run saw.
#[flow]
mod fetch {
    use super::*;

    #[derive(Artifacts)]
    struct Listed {
        stations: Vec<Station>,
    }

    #[derive(Artifacts)]
    struct Measured {
        name: String,
        mean: f64,
    }

    #[derive(Artifacts)]
    struct Compared {
        /// The stations with their means, the warmest first.
        means: Vec<(String, f64)>,
    }

    /// Asks which stations there are.
    #[step(
        foreach = "stations",
        next = "measure",
        retry(times = 3, backoff = "1s")
    )]
    fn start(
        /// The address of the service
        #[param]
        service: String,
    ) -> Result<Listed> {
        let stations: Vec<Station> = http::get(format!("{service}/stations.json"))
            .send()?
            .success()?
            .json()?;
        ensure!(!stations.is_empty(), "the service has no station");
        Ok(Listed { stations })
    }

    /// Asks for the readings of one station.
    #[step(next = "compare", retry(times = 3, backoff = "1s"))]
    fn measure(#[item] station: Station, service: String) -> Result<Measured> {
        let readings: Readings = http::get(format!("{service}/{}", station.readings))
            .send()?
            .success()?
            .json()?;
        let count = readings.celsius.len();
        ensure!(count > 0, "`{}` has measured nothing", station.name);
        let mean = readings.celsius.iter().sum::<f64>() / count as f64;
        Ok(Measured {
            name: station.name,
            mean,
        })
    }

    /// Puts the stations in order.
    #[step(join)]
    fn compare(measured: Inputs<Measured>) -> Result<Compared> {
        let mut means = Vec::with_capacity(measured.len());
        for branch in &measured {
            let branch = branch?;
            means.push((branch.name, branch.mean));
        }
        means.sort_by(|a, b| b.1.total_cmp(&a.1));
        for (name, mean) in &means {
            println!("{name:<10} {mean:>5.1} °C");
        }
        Ok(Compared { means })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        const SERVICE: &str = "https://weather.example.com";

        /// The service as its files have it.
        fn service(request: &http::Request) -> Result<http::Response, http::NoAnswer> {
            let file = request.url().strip_prefix(SERVICE).unwrap();
            Ok(match file {
                "/stations.json" => http::Response::new(200, include_str!("../data/stations.json")),
                "/graz.json" => http::Response::new(200, r#"{"celsius": [1.0, 2.5]}"#),
                _ => http::Response::new(404, "no such file"),
            })
        }

        #[test]
        fn the_stations_are_those_of_the_service() {
            let listed = http::answering(service, || start(SERVICE.to_owned())).unwrap();
            let names: Vec<_> = listed.stations.iter().map(|it| it.name.as_str()).collect();
            assert_eq!(names, ["Graz", "Linz", "Wien"]);
        }

        #[test]
        fn the_mean_is_that_of_the_readings() {
            let station = |readings: &str| Station {
                name: "Graz".to_owned(),
                readings: readings.to_owned(),
            };
            let ask = |readings: &str| {
                http::answering(service, || measure(station(readings), SERVICE.to_owned()))
            };
            assert_eq!(ask("graz.json").unwrap().mean, 1.75);
            let error = ask("none.json").err().unwrap();
            assert!(error.to_string().ends_with("status 404"), "{error}");
            assert!(error.is_fatal());
        }
    }
}
