-- The tables, columns and keys of HR, a public sample database (a company's staff), written down from memory, for PostgreSQL.
CREATE TABLE regions (region_id integer PRIMARY KEY, region_name varchar(25));
CREATE TABLE countries (
    country_id char(2) PRIMARY KEY,
    country_name varchar(60),
    region_id integer REFERENCES regions (region_id)
);
CREATE TABLE locations (
    location_id smallint PRIMARY KEY,
    street_address varchar(40),
    postal_code varchar(12),
    city varchar(30) NOT NULL,
    state_province varchar(25),
    country_id char(2) REFERENCES countries (country_id)
);
CREATE TABLE departments (
    department_id smallint PRIMARY KEY,
    department_name varchar(30) NOT NULL,
    manager_id integer,
    location_id smallint REFERENCES locations (location_id)
);
CREATE TABLE jobs (
    job_id varchar(10) PRIMARY KEY,
    job_title varchar(35) NOT NULL,
    min_salary numeric(6),
    max_salary numeric(6)
);
CREATE TABLE employees (
    employee_id integer PRIMARY KEY,
    first_name varchar(20),
    last_name varchar(25) NOT NULL,
    email varchar(25) NOT NULL UNIQUE,
    phone_number varchar(20),
    hire_date date NOT NULL,
    job_id varchar(10) NOT NULL REFERENCES jobs (job_id),
    salary numeric(8,2) CHECK (salary > 0),
    commission_pct numeric(2,2),
    manager_id integer REFERENCES employees (employee_id),
    department_id smallint REFERENCES departments (department_id)
);
ALTER TABLE departments ADD CONSTRAINT dept_mgr_fk FOREIGN KEY (manager_id) REFERENCES employees (employee_id);
CREATE TABLE job_history (
    employee_id integer NOT NULL REFERENCES employees (employee_id),
    start_date date NOT NULL,
    end_date date NOT NULL,
    job_id varchar(10) NOT NULL REFERENCES jobs (job_id),
    department_id smallint REFERENCES departments (department_id),
    PRIMARY KEY (employee_id, start_date),
    CONSTRAINT jhist_date_interval CHECK (end_date > start_date)
);
COMMENT ON TABLE regions IS 'Regions of the world that the company works in.';
COMMENT ON COLUMN employees.commission_pct IS 'Share of a sale that the seller gets; for sellers only.';
